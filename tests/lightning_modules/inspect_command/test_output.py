"""Tables and files of the command."""

import pytest
from rich.console import Console

from lightning_modules.inspect_command.output import Output, Table, file_name
from lightning_modules.inspect_command.progress import tracked

TABLE = Table("A title", ("name", "value"), [("a, b", "1"), ("long " * 40, "22")], ("a note [1]",))


def test_text_is_as_wide_as_it_must_be():
    lines = TABLE.to_text().splitlines()
    assert lines[0] == "A title"
    assert lines[-1] == "a note [1]"
    assert any("long " * 39 in line and line.endswith("22") for line in lines)


def test_csv_quotes_what_it_must():
    assert TABLE.to_csv().splitlines()[:2] == ["name,value", '"a, b",1']


def test_names_with_brackets_are_not_markup():
    assert "[red]x" in Table("t", ("name",), [("[red]x",)]).to_text()


def test_a_failed_picture_leaves_the_old_one(tmp_path):
    class Broken:
        def savefig(self, file, **options):
            file.write(b"half")
            raise RuntimeError("half way")

    (tmp_path / "picture.png").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="half way"):
        Output(tmp_path).figure("picture", Broken())
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]
    assert (tmp_path / "picture.png").read_bytes() == b"old"


def test_a_quiet_output_prints_no_paths(tmp_path, capsys):
    Output(tmp_path, quiet=True).table("a", TABLE)
    assert str(tmp_path) not in capsys.readouterr().out


@pytest.mark.parametrize("terminal", [False, True])
def test_progress_goes_to_a_terminal_alone(monkeypatch, capsys, terminal):
    monkeypatch.setattr(Console, "is_terminal", terminal)
    assert list(tracked(iter("abc"), "letters")) == ["a", "b", "c"]
    output = capsys.readouterr()
    assert output.out == ""
    assert ("letters" in output.err) == terminal


def test_any_name_becomes_a_file_name():
    assert file_name("a/b:c d.0_e-f") == "a_b_c_d.0_e-f"

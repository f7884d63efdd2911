"""Plans, from files and from the command line."""

from pathlib import Path

import pytest

from lightning_modules.compare.command import parse
from lightning_modules.compare.command import parser as make_parser
from lightning_modules.compare.plan import make_plan, read_plan


@pytest.fixture
def two(config_file):
    """Values of a small plan."""
    return {"configs": [config_file("a"), config_file("b")], "output": "out", "seeds": [3, 5]}


def command(words):
    return parse(make_parser(), [str(word) for word in words])


def test_every_configuration_runs_with_every_seed(two):
    plan = make_plan(two)
    assert plan.names == ("a", "b")
    assert [(run.name, run.seed) for run in plan.runs()] == [("a", 3), ("b", 3), ("a", 5), ("b", 5)]
    assert plan.runs()[-1].folder == Path("out/b/seed_5")


def test_a_run_s_own_settings_come_last(two):
    (run, *_) = make_plan(two | {"overrides": ["--trainer.enable_model_summary=true"]}).runs()
    assert run.words[:2] == ["--config", str(two["configs"][0])]
    assert run.words.index("--trainer.enable_model_summary=true") > run.words.index(
        "--trainer.enable_model_summary=false"
    )
    assert {
        "--seed_everything=3",
        "--trainer.default_root_dir=out/a/seed_3",
        "--checkpoint.dirpath=out/a/seed_3/checkpoints",
        "--checkpoint.save_last=false",
        "--checkpoint.save_on_exception=false",
    } <= set(run.words[4:])


def test_a_file_looks_for_configurations_beside_itself(tmp_path, config_file):
    config_file("a")
    (tmp_path / "plans").mkdir()
    path = tmp_path / "plans" / "p.yaml"
    path.write_text("configs: [../a.yaml]\noutput: out\nseeds: [1]\npercent: true\noverrides: [--x=1]\n")
    plan = make_plan(read_plan(path))
    assert plan.names == ("a",)
    assert (plan.output, plan.seeds, plan.percent, plan.overrides) == (Path("out"), (1,), True, ("--x=1",))


def test_the_plans_that_come_with_the_project(configs):
    for path in (configs / "comparisons" / "digits.yaml", configs / "comparisons" / "vessels.yaml"):
        plan = make_plan(read_plan(path))
        kinds = [f"{path.stem}_{kind}" for kind in ("conv", "dilated", "lpsc", "lpsc_cc")]
        assert list(plan.names) == kinds
        assert len(plan.seeds) >= 3
        assert plan.equal_parameters


def test_words_win_over_the_file(tmp_path, config_file):
    path = tmp_path / "p.yaml"
    path.write_text("configs: [a.yaml]\noutput: out\nseeds: [7]\ntitle: T\noverrides: [--x=1]\n")
    config_file("a")
    plan = command(["--plan", path, "--num-seeds", 2, "--output", "new", "--reduce", "last10", "--y=2"])
    assert (plan.seeds, plan.output, plan.reduce, plan.title) == ((0, 1), Path("new"), "last10", "T")
    assert plan.overrides == ("--x=1", "--y=2")
    assert command(["--plan", path, config_file("b")]).names == ("b",)


def test_defaults(config_file):
    plan = command([config_file("a"), "--output", "out"])
    assert (plan.seeds, plan.metrics, plan.reduce, plan.evaluate) == ((0, 1, 2), ("test/accuracy",), "best", "best")
    assert (plan.published, plan.percent, plan.equal_parameters, plan.overrides) == (None, False, False, ())


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"configs": []}, ValueError, "configs must have at least one entry, got none"),
        ({"configs": "a.yaml"}, TypeError, "configs must be a list, got 'a.yaml'"),
        ({"configs": ["no.yaml"]}, FileNotFoundError, r"configs must be files, and no\.yaml does not exist"),
        ({"output": None}, ValueError, "output must be given"),
        ({"seeds": []}, ValueError, "seeds must have at least one entry"),
        ({"seeds": [1, 1]}, ValueError, "seeds must differ from each other, got 1 twice"),
        ({"seeds": [-1]}, ValueError, "seeds must be at least 0, got -1"),
        ({"seeds": ["1"]}, TypeError, "seeds must be an integer, got '1'"),
        ({"seeds": 3}, TypeError, "seeds must be a list, got 3"),
        ({"metrics": []}, ValueError, "metrics must have at least one entry"),
        ({"reduce": "mean"}, ValueError, "reduce must be one of 'best', 'last', 'last10', got 'mean'"),
        ({"evaluate": "first"}, ValueError, "evaluate must be one of 'best', 'last', got 'first'"),
        ({"percent": 1}, TypeError, "percent must be true or false, got 1"),
        ({"published": "table9"}, ValueError, "published must be one of"),
        ({"sedes": [1]}, ValueError, "a plan's key must be one of 'configs', .* got 'sedes'"),
        ({"overrides": ["trainer.max_epochs=3"]}, ValueError, "written as --key=value, .* got 'trainer.max_epochs=3'"),
        ({"overrides": ["--seed_everything=3"]}, ValueError, "cannot have --seed_everything"),
        ({"overrides": ["--checkpoint.dirpath=x"]}, ValueError, "cannot have --checkpoint.dirpath"),
    ],
)
def test_wrong_values_are_named(two, change, error, message):
    with pytest.raises(error, match=message):
        make_plan(two | change)


def test_equal_names_are_refused(two, tmp_path):
    (tmp_path / "x").mkdir()
    twin = tmp_path / "x" / "a.yaml"
    twin.touch()
    with pytest.raises(ValueError, match="configs must differ from each other, got 'a' twice"):
        make_plan(two | {"configs": [*two["configs"], twin]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("configs: [", r"p\.yaml: not YAML"),
        ("- a", r"p\.yaml: must hold a mapping .* got \['a'\]"),
        ("", r"p\.yaml: must hold a mapping .* got None"),
        (b"\xff\xfe\xfa", r"p\.yaml: not YAML"),
    ],
)
def test_wrong_files_are_named(tmp_path, text, message):
    path = tmp_path / "p.yaml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    with pytest.raises(ValueError, match=message):
        read_plan(path)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--output", "x"], "configs must be given"),
        (["a.yaml"], "output must be given"),
        (["a.yaml", "--output", "x", "--trainer.max_epochs", "3"], "--key=value"),
        (["a.yaml", "--output", "x", "--seeds", "0", "--num-seeds", "2"], "not allowed with"),
        (["a.yaml", "--output", "x", "--num-seeds", "0"], "seeds must have at least one entry"),
        (["a.yaml", "--output", "x", "--reduce", "mean"], "invalid choice"),
        (["--plan", "no.yaml"], "no.yaml does not exist"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_runs(tmp_path, monkeypatch, capsys, words, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.yaml").touch()
    with pytest.raises(SystemExit) as exit_info:
        command(words)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]

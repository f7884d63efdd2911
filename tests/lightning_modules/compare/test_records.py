"""What runs leave on disk."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lightning_modules.compare.records import (
    RecordError,
    Result,
    check_claim,
    claim,
    digest_of,
    read_result,
    settings_of,
    versions,
)

VALUES = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-1, 1) | st.text(max_size=3)
LEAVES = VALUES | st.lists(VALUES, max_size=2)
TREES = st.dictionaries(
    st.text("abc", min_size=1, max_size=2),
    st.recursive(LEAVES, lambda inner: st.dictionaries(st.text("xyz", min_size=1, max_size=2), inner, max_size=3)),
    max_size=4,
)
RESULT = Result("a", 1, 10, {"test/x": 0.5}, [{"epoch": 0, "val/x": 0.25}], "d" * 16, {"torch": "2"})


@given(TREES, st.randoms())
def test_the_order_of_keys_does_not_matter(tree, shuffler):
    keys = list(tree)
    shuffler.shuffle(keys)
    before, after = (settings_of(json.dumps(t), 0, "best") for t in (tree, {key: tree[key] for key in keys}))
    assert digest_of(before) == digest_of(after)


@given(TREES, st.text("pqr", min_size=1, max_size=2), VALUES, VALUES)
def test_every_value_matters(tree, key, one, other):
    texts = [json.dumps(tree | {key: {"deep": value}}) for value in (one, other)]
    digests = [digest_of(settings_of(text, 0, "best")) for text in texts]
    assert (digests[0] == digests[1]) == (texts[0] == texts[1])


def test_seed_and_judged_checkpoint_matter():
    digests = {digest_of(settings_of('{"a": 1}', seed, kept)) for seed in (0, 1) for kept in ("best", "last")}
    assert len(digests) == 4


def test_where_a_run_writes_does_not_matter():
    here, there = ({"trainer": {"default_root_dir": x}, "checkpoint": {"dirpath": x}, "lr": 1} for x in ("a", "b"))
    assert settings_of(json.dumps(here), 0, "best") == settings_of(json.dumps(there), 0, "best")
    assert settings_of(json.dumps(here), 0, "best") == {"evaluate": "best", "lr": 1, "seed_everything": 0}


def test_a_result_comes_back(tmp_path):
    RESULT.write(tmp_path)
    assert read_result(tmp_path, RESULT.digest) == RESULT
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_no_result(tmp_path):
    assert read_result(tmp_path, "d") is None


def test_another_run_s_result_is_refused(tmp_path):
    RESULT.write(tmp_path)
    with pytest.raises(RecordError, match=r"result\.json: the result of another configuration; give another output"):
        read_result(tmp_path, "e" * 16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"result\.json: not JSON"),
        ("\ufffd", r"result\.json: not JSON"),
        ("[]", r"result\.json: must hold a mapping, got \[\]"),
        ('{"name": "a"}', r"result\.json: must have the keys \['digest', .* got \['name'\]"),
    ],
)
def test_damaged_results_are_named(tmp_path, text, message):
    (tmp_path / "result.json").write_text(text, encoding="utf-8")
    with pytest.raises(RecordError, match=message):
        read_result(tmp_path, "d")


def test_every_truncated_result_is_refused(tmp_path):
    RESULT.write(tmp_path)
    whole = (tmp_path / "result.json").read_bytes()
    cut = random.Random(0).randrange(1, len(whole) - 1)
    (tmp_path / "result.json").write_bytes(whole[:cut])
    with pytest.raises(RecordError, match="not JSON"):
        read_result(tmp_path, RESULT.digest)


def test_the_same_settings_claim_a_folder_again(tmp_path):
    folder = tmp_path / "new"
    check_claim(folder, {"a": 1})
    assert not folder.exists()
    claim(folder, {"a": 1})
    claim(folder, {"a": 1})
    assert json.loads((folder / "settings.json").read_text()) == {"a": 1}


def test_other_settings_are_refused_with_their_differences(tmp_path):
    claim(tmp_path, {"a": 1, "b": None, "same": [2]})
    message = r"settings\.json: a run of another configuration \(a was 1 and is 2; b was null and is not there"
    with pytest.raises(RecordError, match=message):
        claim(tmp_path, {"a": 2, "c": "x", "same": [2]})
    assert json.loads((tmp_path / "settings.json").read_text())["a"] == 1


def test_the_versions_are_those_that_run():
    import torch

    assert versions()["torch"] == torch.__version__
    assert set(versions()) == {"lpsc_nd", "torch", "pytorch_lightning", "python"}

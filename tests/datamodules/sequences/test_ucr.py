"""The archives' data module: both formats give the same data, parts are disjoint, what does not fit is named."""

import re
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from datamodules.data_files import DataFileError
from datamodules.sequences.series import LabelledSeries
from datamodules.sequences.ucr import UCRDataModule, cut_validation
from lpsc_nd import LPSConv1d
from lpsc_nd.models import ResidualNet
from lpsc_nd.models.sequences.masked_residual_net import MaskedResidualNet

TRAIN = [("10", [0.5, 1.5, 2.5]), ("2", [3.0, 4.0, 5.0]), ("10", [6.0, 7.0, 8.0]), ("2", [1.0, 0.0, 9.0])]
TEST = [("2", [0.25, 0.5, 0.75]), ("10", [2.0, 1.0, 0.0])]


def tsv(cases):
    return "".join("\t".join([label, *map(str, values)]) + "\n" for label, values in cases)


def ts(cases, header="@classLabel true 2 10\n@data\n"):
    return header + "".join(",".join(map(str, values)) + f":{label}\n" for label, values in cases)


@pytest.mark.parametrize(("source", "text"), [("tsv", tsv), ("ts", ts)])
def test_both_formats_give_the_same_data(write_ucr, source, text):
    data = UCRDataModule(write_ucr("Gun", text(TRAIN), text(TEST), source), "Gun", val_fraction=0.5, batch_size=2)
    data.setup("fit")
    assert data.class_names == ("10", "2")  # sorted as text
    x, target = data.splits.test.tensors
    assert x.tolist() == [[values] for _, values in TEST]
    assert target.tolist() == [1, 0]
    pairs = [(data.class_names[y], x[0].tolist()) for part in (data.splits.train, data.splits.val) for x, y in part]
    assert sorted(pairs) == sorted(TRAIN)
    assert [len(data.splits.train), len(data.splits.val)] == [2, 2]
    x, target = next(iter(data.train_dataloader()))
    assert (x.shape, x.dtype, target.dtype) == ((2, 1, 3), torch.float32, torch.int64)


@given(labels=st.lists(st.sampled_from("abcd"), min_size=1, max_size=12), fraction=st.floats(0.01, 0.99))
def test_validation_is_a_share_of_every_class_that_has_two(labels, fraction):
    whole = LabelledSeries(
        "x.tsv", tuple(np.full((1, 1), i) for i in range(len(labels))), tuple(labels), tuple(range(len(labels)))
    )
    sizes = {label: labels.count(label) for label in labels}
    if max(sizes.values()) == 1:
        with pytest.raises(DataFileError, match="must have a class of two series or more"):
            cut_validation(whole, fraction)
        return
    train, val = cut_validation(whole, fraction)
    assert sorted(train.lines + val.lines) == list(whole.lines)
    assert [*train.lines] == sorted(train.lines)
    for label, size in sizes.items():
        assert train.labels.count(label) >= 1
        assert val.labels.count(label) == min(max(1, round(fraction * size)), size - 1)
    for one in (train, val):
        assert all(labels[line] == label for line, label in zip(one.lines, one.labels, strict=True))
        assert [int(values[0, 0]) for values in one.values] == list(one.lines)
    again = cut_validation(whole, fraction)
    assert (again[0].lines, again[1].lines) == (train.lines, val.lines)


def test_dimensions_are_channels(write_ucr):
    header = "@univariate false\n@dimensions 2\n@classLabel true a b\n@data\n"
    cases = "1,2,3:4,5,6:a\n1,2,?:4,5,6:b\n1,1,1:2,2,2:a\n0,0,0:2,2,2:b\n"
    root = write_ucr("Basic", header + cases, header + cases, "ts")
    data = UCRDataModule(root, "Basic", missing="interpolate", num_classes=2, in_channels=2)
    assert data.splits.test.tensors[0].shape == (4, 2, 3)
    assert data.splits.test.tensors[0][1].tolist() == [[1, 2, 2], [4, 5, 6]]


UNEQUAL = [("a", [1, 2, 3]), ("a", [4]), ("b", [5, 6]), ("b", [7, 8])]


def test_unequal_lengths_in_three_ways(write_ucr):
    text = ts(UNEQUAL, "@classLabel true a b\n@data\n")
    root = write_ucr("Wii", text, ts([("a", [1, 2, 3, 4, 5])], "@classLabel true a b\n@data\n"), "ts")
    longest = max(
        len(values) for values in (x[0] for x, _ in UCRDataModule(root, "Wii", lengths="resample").splits.train)
    )
    assert UCRDataModule(root, "Wii", lengths="resample").splits.test.tensors[0].shape == (1, 1, longest)
    assert UCRDataModule(root, "Wii", lengths="resample", length=9).splits.test.tensors[0].shape == (1, 1, 9)
    whole = UCRDataModule(root, "Wii", lengths="mask", in_channels=2).splits
    counts = sorted(int(x[1].sum()) for part in (whole.train, whole.val) for x, _ in part)
    assert counts == [1, 2, 2, 3]
    assert whole.train.tensors[0].shape[1:] == whole.test.tensors[0].shape[1:] == (2, 5)
    with pytest.raises(DataFileError, match=r"line \d: must have \d values"):
        UCRDataModule(root, "Wii").setup("fit")


def test_each_series_is_normalised_by_itself(write_ucr):
    data = UCRDataModule(write_ucr("Gun", tsv(TRAIN), tsv(TEST)), "Gun", normalize="series")
    for part in (data.splits.train, data.splits.val, data.splits.test):
        x = part.tensors[0]
        torch.testing.assert_close(x.mean(dim=2), torch.zeros(len(x), 1), atol=1e-6, rtol=0)
        torch.testing.assert_close(x.std(dim=2, correction=0), torch.ones(len(x), 1))


def test_the_tree_is_shown(tmp_path, write_ucr):
    with pytest.raises(FileNotFoundError, match=r"Gun_TRAIN\.tsv does not exist; expected below(.|\n)*Gun_TEST\.ts"):
        UCRDataModule(tmp_path, "Gun").setup("fit")
    root = write_ucr("Gun", tsv(TRAIN), tsv(TEST))
    (root / "Gun" / "Gun_TEST.tsv").unlink()
    with pytest.raises(FileNotFoundError, match=r"Gun_TEST\.tsv does not exist"):
        UCRDataModule(root, "Gun").setup("fit")
    with pytest.raises(FileNotFoundError, match=r"Gun_TRAIN\.ts does not exist"):
        UCRDataModule(root, "Gun", source="ts").setup("fit")


def test_two_sources_have_to_be_chosen_from(write_ucr):
    write_ucr("Gun", tsv(TRAIN), tsv(TEST))
    root = write_ucr("Gun", ts(TRAIN), ts(TEST), "ts")
    with pytest.raises(ValueError, match=r"source must be one of \['tsv', 'ts'\]"):
        UCRDataModule(root, "Gun").setup("fit")
    assert len(UCRDataModule(root, "Gun", source="ts").splits.test) == 2


@pytest.mark.parametrize(
    ("options", "train", "test", "message"),
    [
        ({}, TRAIN, [("2", [1, 2, 3]), ("7", [1, 2, 3])], "Gun_TEST.tsv: line 2: must have a label that .* got '7'"),
        ({}, TRAIN[:1], TEST, "Gun_TRAIN.tsv: must hold at least two classes, got '10' alone"),
        ({}, TRAIN[:2], TEST, "Gun_TRAIN.tsv: must have a class of two series or more"),
        ({}, TRAIN, [("2", [1, 2])], "Gun_TEST.tsv: line 1: must have 3 values .* got 2"),
        ({"num_classes": 3}, TRAIN, TEST, "Gun_TRAIN.tsv: must hold num_classes=3 classes, got 2; set num_classes"),
        ({"in_channels": 2}, TRAIN, TEST, "Gun_TRAIN.tsv: must give in_channels=2 channels, got 1; set in_channels"),
        (
            {"in_channels": 1, "lengths": "mask"}, TRAIN, TEST,
            "Gun_TRAIN.tsv: must give in_channels=1 channels, got 2, the mask included",
        ),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(options, train, test, message, write_ucr):
    root = write_ucr("Gun", tsv(train), tsv(test))
    with pytest.raises(DataFileError, match=f"^{re.escape(str(root / 'Gun'))}/{message}"):
        UCRDataModule(root, "Gun", **options).setup("fit")


def test_other_dimensions_in_the_test_are_named(write_ucr):
    test = "@classLabel true 2 10\n@data\n1,2,3:1,2,3:2\n"
    root = write_ucr("Gun", ts(TRAIN), test, "ts")
    with pytest.raises(
        DataFileError, match=r"Gun_TEST.ts: line 3: must have 1 dimension\(s\) as Gun_TRAIN.ts has, got 2"
    ):
        UCRDataModule(root, "Gun").setup("fit")


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"name": ""}, ValueError, "name must be that of a data set, such as 'GunPoint', got ''"),
        ({"name": "a/b"}, ValueError, "name must be that of a data set, .* got 'a/b'"),
        ({"source": "arff"}, ValueError, "source must be one of 'tsv', 'ts', got 'arff'"),
        ({"val_fraction": 0}, ValueError, "val_fraction must be between 0 and 1, got 0"),
        ({"val_fraction": 1.0}, ValueError, "val_fraction must be between 0 and 1, got 1"),
        ({"val_fraction": "half"}, TypeError, "val_fraction must be a number"),
        ({"num_classes": 1}, ValueError, "num_classes must be at least 2, got 1"),
        ({"in_channels": 0}, ValueError, "in_channels must be at least 1, got 0"),
        ({"normalize": "z"}, ValueError, "normalize must be one of"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments, error, message):
    with pytest.raises(error, match=message):
        UCRDataModule(**{"root": "data", "name": "Gun", **arguments})


@given(
    lengths=st.lists(st.integers(1, 20), min_size=4, max_size=8), channels=st.integers(1, 2), seed=st.integers(0, 99)
)
def test_masked_batches_give_each_series_the_scores_that_it_has_alone(lengths, channels, seed, tmp_path_factory):
    generator = np.random.default_rng(seed)
    cases = [generator.normal(size=(channels, length)).round(3).tolist() for length in lengths]
    text = "@classLabel true a b\n@data\n"
    text += "".join(
        ":".join(",".join(map(str, row)) for row in case) + f":{'ab'[i % 2]}\n" for i, case in enumerate(cases)
    )
    root = tmp_path_factory.mktemp("archive")
    (root / "Any").mkdir()
    for part in ("TRAIN", "TEST"):
        (root / "Any" / f"Any_{part}.ts").write_text(text)
    torch.manual_seed(seed)
    conv = partial(LPSConv1d, kernel_size=9, padding=4)
    plain = ResidualNet(1, conv, channels, 2, widths=(4, 6)).eval()
    network = MaskedResidualNet(conv, channels + 1, 2, widths=(4, 6)).eval()
    network.load_state_dict(plain.state_dict())
    data = UCRDataModule(root, "Any", lengths="mask", batch_size=3)
    data.setup("test")
    scores = torch.cat([network(x) for x, _ in data.test_dataloader()])
    alone = torch.cat([plain(torch.tensor(case, dtype=torch.float32)[None]) for case in cases])
    torch.testing.assert_close(scores, alone, rtol=1e-4, atol=1e-5)

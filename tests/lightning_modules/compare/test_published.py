"""The paper's tables."""

import re

import pytest

from lightning_modules.compare.published import PUBLISHED, PublishedScore, published_scores

# Tables 1 to 5 as lines of the paper, typed anew: per line the experiments of its columns and their rows.
ACCURACIES = [
    ("table1/{}/cifar10", "77.43 (0.25) 75.42 (0.06) 78.44 (0.12) 93.54 (0.06) 93.46 (0.14) 93.92 (0.06)"),
    ("table1/{}/cifar100", "43.98 (0.43) 44.43 (0.10) 47.43 (0.20) 72.41 (0.17) 73.03 (0.34) 73.13 (0.12)"),
]
COLUMNS = [(network, variant) for network in ("alexnet", "vgg19") for variant in ("conv", "dilated", "lpsc")]
ROWS = [
    ("table1/resnet20/cifar10", "accuracy", "91.66 (0.13) 91.44 (0.10) 91.81 (0.21) 92.01 (0.08)"),
    ("table1/resnet20/cifar100", "accuracy", "67.56 (0.27) 66.90 (0.25) 67.63 (0.27) 68.09 (0.27)"),
    ("table1/resnet20/cifar10", "parameters (M)", "0.27 0.27 0.27 0.27"),
    ("table2/resnet110/cifar100", "accuracy", "73.50 (0.24) 73.75 (0.48) 73.54 (0.38) 74.13 (0.14)"),
    (
        "table2/resnet110/cifar100",
        "seconds per 100 images",
        "0.025 (0.0053) 0.025 (0.0041) 0.036 (0.0047) 0.135 (0.0035)",
    ),
    ("table1/alexnet/cifar10", "parameters (M)", "2.47 2.34 2.31"),
    ("table1/vgg19/cifar10", "parameters (M)", "20.04 20.08 20.08"),
]
LINES = [
    ("table3/resnet18/imagenet", "conv", "69.86 (0.082) 11.69"),
    ("table3/resnet18/imagenet", "lpsc", "69.96 (0.081) 11.69"),
    ("table3/resnet18/imagenet", "lpsc_cc", "69.95 (0.079) 11.70"),
    ("table4/deeplabv3plus/voc2012", "conv", "0.9230 0.8332 0.8652 0.7144"),
    ("table4/deeplabv3plus/voc2012", "lpsc", "0.9273 0.8388 0.8714 0.7260"),
    ("table5/cenet/drive", "hed", "0.7364 0.9434 0.9723"),
    ("table5/cenet/drive", "azzopardi", "0.7655 0.9442 0.9614"),
    ("table5/cenet/drive", "zhao", "0.7420 0.9540 0.8620"),
    ("table5/cenet/drive", "unet", "0.7537 0.9531 0.9601"),
    ("table5/cenet/drive", "deep_vessel", "0.7603 0.9523 0.9752"),
    ("table5/cenet/drive", "cenet", "0.8309 0.9545 0.9779"),
    ("table5/cenet/drive", "conv", "0.8266 (0.0106) 0.9550 (0.0009) 0.9782 (0.0008)"),
    ("table5/cenet/drive", "lpsc_1", "0.8300 (0.0079) 0.9552 (0.0011) 0.9782 (0.0008)"),
    ("table5/cenet/drive", "lpsc_2", "0.8312 (0.0075) 0.9548 (0.0011) 0.9784 (0.0007)"),
]


def values(line):
    return re.findall(r"[\d.]+(?: \([\d.]+\))?", line)


@pytest.mark.parametrize(("experiment", "line"), ACCURACIES)
def test_table_1a(experiment, line):
    for (network, variant), value in zip(COLUMNS, values(line), strict=True):
        assert PUBLISHED[experiment.format(network)][variant]["accuracy"] == PublishedScore(value, "%")


@pytest.mark.parametrize(("experiment", "quantity", "line"), ROWS)
def test_values_across_variants(experiment, quantity, line):
    rows = PUBLISHED[experiment]
    assert [row[quantity].text for row in rows.values()] == values(line)
    assert list(rows) == ["conv", "dilated", "lpsc", "lpsc_cc"][: len(rows)]


@pytest.mark.parametrize(("experiment", "variant", "line"), LINES)
def test_values_of_one_variant(experiment, variant, line):
    assert [score.text for score in PUBLISHED[experiment][variant].values()] == values(line)


def test_names_of_the_quantities_are_those_that_tasks_log():
    assert list(PUBLISHED["table4/deeplabv3plus/voc2012"]["lpsc"]) == ["oAcc", "mAcc", "fAcc", "mIoU"]
    assert list(PUBLISHED["table5/cenet/drive"]["lpsc_1"]) == ["sensitivity", "accuracy", "AUC"]
    assert PUBLISHED["table5/cenet/drive"]["conv"]["accuracy"].unit == ""


def test_what_was_not_reported_is_not_there():
    assert list(PUBLISHED["table4/deeplabv3plus/voc2012"]["deeplabv3"]) == ["mIoU"]
    assert PUBLISHED["table4/deeplabv3plus/voc2012"]["deeplabv3plus"]["mIoU"].text == "0.711"


def test_the_longest_ending_decides():
    names = ["cifar_conv", "lpsc", "big_lpsc_cc", "something"]
    found = published_scores("table1/resnet20/cifar10", names)
    assert {name: row["accuracy"].text for name, row in found.items()} == {
        "cifar_conv": "91.66 (0.13)",
        "lpsc": "91.81 (0.21)",
        "big_lpsc_cc": "92.01 (0.08)",
    }


def test_rows_by_name():
    found = published_scores({"mine": "table5/cenet/drive/lpsc_2"}, ["mine", "other"])
    assert str(found["mine"]["AUC"]) == "0.9784 (0.0007)"
    assert list(found) == ["mine"]


def test_nothing_is_asked_for():
    assert published_scores(None, ["a"]) == {}


@pytest.mark.parametrize(
    ("choice", "error", "message"),
    [
        ("table9", ValueError, "published must be one of 'table1/alexnet/cifar10'.* got 'table9'"),
        (
            "table1/alexnet/cifar10",
            ValueError,
            r"no name among \['mine'\] ends in one of \['conv', 'dilated', 'lpsc'\]",
        ),
        ({"my": "table1/alexnet/cifar10/lpsc"}, ValueError, "published's network must be one of 'mine', got 'my'"),
        ({"mine": "table1/alexnet/cifar1/lpsc"}, ValueError, "published's experiment must be .* got .*cifar1'"),
        ({"mine": "table1/alexnet/cifar10/cc"}, ValueError, "row of table1/alexnet/cifar10 must be .* got 'cc'"),
        ({"mine": 3}, TypeError, "published must name rows such as .* got 3"),
        (3, TypeError, "published must be an experiment or a mapping .* got 3"),
    ],
)
def test_wrong_choices_are_named(choice, error, message):
    with pytest.raises(error, match=message):
        published_scores(choice, ["mine"])

"""Tables 1 to 5 of the paper, word for word."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from lpsc_nd import _checks

_PERCENT, _PART = "%", ""

# Rows of one experiment: "variant: value | value", under the quantities of its columns. In Table 2 the time is seconds
# for a batch of 100 images, parameters are millions, and "-" was not reported.
_TABLES = {
    "table1/alexnet/cifar10": """
        conv: 77.43 (0.25) | 2.47
        dilated: 75.42 (0.06) | 2.34
        lpsc: 78.44 (0.12) | 2.31""",
    "table1/alexnet/cifar100": """
        conv: 43.98 (0.43)
        dilated: 44.43 (0.10)
        lpsc: 47.43 (0.20)""",
    "table1/vgg19/cifar10": """
        conv: 93.54 (0.06) | 20.04
        dilated: 93.46 (0.14) | 20.08
        lpsc: 93.92 (0.06) | 20.08""",
    "table1/vgg19/cifar100": """
        conv: 72.41 (0.17)
        dilated: 73.03 (0.34)
        lpsc: 73.13 (0.12)""",
    "table1/resnet20/cifar10": """
        conv: 91.66 (0.13) | 0.27
        dilated: 91.44 (0.10) | 0.27
        lpsc: 91.81 (0.21) | 0.27
        lpsc_cc: 92.01 (0.08) | 0.27""",
    "table1/resnet20/cifar100": """
        conv: 67.56 (0.27)
        dilated: 66.90 (0.25)
        lpsc: 67.63 (0.27)
        lpsc_cc: 68.09 (0.27)""",
    "table2/resnet110/cifar100": """
        conv: 73.50 (0.24) | 0.025 (0.0053)
        dilated: 73.75 (0.48) | 0.025 (0.0041)
        lpsc: 73.54 (0.38) | 0.036 (0.0047)
        lpsc_cc: 74.13 (0.14) | 0.135 (0.0035)""",
    "table3/resnet18/imagenet": """
        conv: 69.86 (0.082) | 11.69
        lpsc: 69.96 (0.081) | 11.69
        lpsc_cc: 69.95 (0.079) | 11.70""",
    "table4/deeplabv3plus/voc2012": """
        deeplabv3: - | - | - | 0.701
        deeplabv3plus: - | - | - | 0.711
        conv: 0.9230 | 0.8332 | 0.8652 | 0.7144
        lpsc: 0.9273 | 0.8388 | 0.8714 | 0.7260""",
    "table5/cenet/drive": """
        hed: 0.7364 | 0.9434 | 0.9723
        azzopardi: 0.7655 | 0.9442 | 0.9614
        zhao: 0.7420 | 0.9540 | 0.8620
        unet: 0.7537 | 0.9531 | 0.9601
        deep_vessel: 0.7603 | 0.9523 | 0.9752
        cenet: 0.8309 | 0.9545 | 0.9779
        conv: 0.8266 (0.0106) | 0.9550 (0.0009) | 0.9782 (0.0008)
        lpsc_1: 0.8300 (0.0079) | 0.9552 (0.0011) | 0.9782 (0.0008)
        lpsc_2: 0.8312 (0.0075) | 0.9548 (0.0011) | 0.9784 (0.0007)""",
}

_ACCURACY = (("accuracy", _PERCENT), ("parameters (M)", _PART))
_QUANTITIES = {
    "table1": _ACCURACY,
    "table2": (("accuracy", _PERCENT), ("seconds per 100 images", _PART)),
    "table3": _ACCURACY,
    "table4": (("oAcc", _PART), ("mAcc", _PART), ("fAcc", _PART), ("mIoU", _PART)),
    "table5": (("sensitivity", _PART), ("accuracy", _PART), ("AUC", _PART)),
}


@dataclass(frozen=True)
class PublishedScore:
    """A value as the paper prints it, ``mean (std)`` or alone.

    Args:
        text: the paper's own digits.
        unit: ``%`` or nothing.
    """

    text: str
    unit: str

    def __str__(self) -> str:
        return f"{self.text} {self.unit}".strip()


Row = Mapping[str, PublishedScore]  # quantity -> value


def _read_rows(experiment: str) -> Mapping[str, Row]:
    columns = _QUANTITIES[experiment.partition("/")[0]]
    rows: dict[str, Row] = {}
    for line in _TABLES[experiment].strip().splitlines():
        variant, _, values = line.strip().partition(": ")
        cells = zip(columns, values.split(" | "), strict=False)
        rows[variant] = {name: PublishedScore(text, unit) for (name, unit), text in cells if text != "-"}
    return MappingProxyType(rows)


PUBLISHED: Mapping[str, Mapping[str, Row]] = MappingProxyType({name: _read_rows(name) for name in _TABLES})


def published_scores(choice: str | Mapping[str, str] | None, names: Sequence[str]) -> dict[str, Row]:
    """Return the paper's row for each network that has one.

    Args:
        choice: an experiment, whose row is the variant that ends a network's name; or for each network by its name
            ``experiment/variant``; or None.
        names: the networks.

    Raises:
        TypeError: ``choice`` has a wrong type.
        ValueError: there is no such experiment, variant or network, or no network has a row.

    >>> str(published_scores("table1/resnet20/cifar10", ["my_lpsc_cc"])["my_lpsc_cc"]["accuracy"])
    '92.01 (0.08) %'
    """
    if choice is None:
        return {}
    if isinstance(choice, Mapping):
        return {_checks.choice("published's network", name, names): _row(entry) for name, entry in choice.items()}
    if not isinstance(choice, str):
        raise TypeError(f"published must be an experiment or a mapping of networks to rows, got {choice!r}")
    rows = PUBLISHED[_checks.choice("published", choice, PUBLISHED)]
    found = {name: rows[variant] for name in names if (variant := _variant_of(name, rows)) is not None}
    if not found:
        raise ValueError(f"published finds no row: no name among {list(names)} ends in one of {list(rows)}")
    return found


def _variant_of(name: str, rows: Mapping[str, Row]) -> str | None:
    fitting = [variant for variant in rows if f"_{name}".endswith(f"_{variant}")]
    return max(fitting, key=len, default=None)


def _row(entry: str) -> Row:
    if not isinstance(entry, str):
        raise TypeError(f"published must name rows such as 'table1/alexnet/cifar10/lpsc', got {entry!r}")
    experiment, _, variant = entry.rpartition("/")
    rows = PUBLISHED[_checks.choice("published's experiment", experiment, PUBLISHED)]
    return rows[_checks.choice(f"published's row of {experiment}", variant, rows)]

"""The UCR and UEA archives of time series classification, and series of one's own in their formats."""

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from datamodules.base import BaseDataModule, Splits
from datamodules.data_files import DataFileError, require
from datamodules.sequences.preparing import Lengths, Missing, Normalize, SeriesOptions, prepare_parts
from datamodules.sequences.series import LabelledSeries
from datamodules.sequences.ts import read_ts
from datamodules.sequences.tsv import read_tsv
from lpsc_nd._checks import choice, integer, number

_READERS = {"tsv": read_tsv, "ts": read_ts}
_SPLIT_SEED = 0  # one split for all runs: results of different training seeds are comparable


class UCRDataModule(BaseDataModule):
    """A data set of the UCR or UEA archive, from ``<root>/<name>/<name>_TRAIN.tsv`` and ``_TEST``, or ``.ts``.

    Classes are the labels of the training file, sorted as text. The archives have no validation part: a share of
    each class is cut off the training file, always the same; a class of one series stays in training.

    Args:
        root: folder that holds the folder ``name``.
        name: of the data set, such as ``GunPoint``.
        source: ``tsv`` or ``ts``; by default the one that is there.
        normalize: ``none``, ``series`` (z-normalisation) or ``training``, see :class:`SeriesOptions`.
        lengths: ``equal``, ``resample`` or ``mask``, see :class:`SeriesOptions`.
        length: what is resampled to; by default the longest training series.
        missing: ``refuse`` or ``interpolate`` missing values.
        val_fraction: share of each class of the training file that goes to validation, at least one series.
        num_classes: refuse a data set that has another number of classes.
        in_channels: refuse a data set whose ``x`` has another number of channels.
        batch_size: series per batch.
        num_workers: processes that load batches.

    Shape:
        A batch is ``(x, target)``: x ``(B, C, L)`` float32, with ``lengths="mask"`` ``(B, C + 1, L)``; target ``(B,)``
        int64.

    Raises:
        FileNotFoundError: a file is missing when the data is loaded; the message shows the tree.
        DataFileError: a file is damaged, or does not fit the options or the other file.
        TypeError, ValueError: an argument is wrong, or both sources are there and none was chosen.
    """

    def __init__(
        self,
        root: str | Path,
        name: str,
        source: Literal["tsv", "ts"] | None = None,
        normalize: Normalize = "none",
        lengths: Lengths = "equal",
        length: int | None = None,
        missing: Missing = "refuse",
        val_fraction: float = 0.2,
        num_classes: int | None = None,
        in_channels: int | None = None,
        batch_size: int = 32,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.root = Path(root)
        if not isinstance(name, str) or not name or Path(name).name != name:
            raise ValueError(f"name must be that of a data set, such as 'GunPoint', got {name!r}")
        self.dataset = name  # a LightningDataModule has a name of its own
        self.source = None if source is None else choice("source", source, _READERS)
        self.options = SeriesOptions(missing, normalize, lengths, length)
        if not 0 < number("val_fraction", val_fraction) < 1:
            raise ValueError(f"val_fraction must be between 0 and 1, got {val_fraction:g}")
        self.val_fraction = val_fraction
        self.num_classes = None if num_classes is None else integer("num_classes", num_classes, minimum=2)
        self.in_channels = None if in_channels is None else integer("in_channels", in_channels, minimum=1)
        self._class_names: tuple[str, ...] | None = None

    @property
    def class_names(self) -> tuple[str, ...]:
        """Labels of the training file, sorted as text: the class ``i`` is the label ``class_names[i]``."""
        _ = self.splits
        return self._class_names or ()

    def load_splits(self) -> Splits:
        """Read both files, cut off the validation part, and prepare all three."""
        train_path, test_path = self._paths()
        read = _READERS[train_path.suffix[1:]]
        whole, test = read(train_path), read(test_path)
        names = self._check(whole, test)
        train, val = cut_validation(whole, self.val_fraction)
        parts = (train, val, test)
        inputs = prepare_parts(parts, self.options)
        self._check_channels(train_path, inputs[0].shape[1])
        targets = [_targets(part, names) for part in parts]
        self._class_names = names
        return Splits(*(TensorDataset(x, target) for x, target in zip(inputs, targets, strict=True)))

    def _paths(self) -> tuple[Path, Path]:
        def paths(source: str) -> tuple[Path, Path]:
            base = self.root / self.dataset
            return base / f"{self.dataset}_TRAIN.{source}", base / f"{self.dataset}_TEST.{source}"

        there = [source for source in _READERS if any(path.exists() for path in paths(source))]
        if self.source is None and len(there) > 1:
            raise ValueError(f"source must be one of {there}, as {self.root / self.dataset} holds both, got None")
        chosen = paths(self.source or (there or list(_READERS))[0])
        require(chosen, self.root, _tree(self.dataset))
        return chosen

    def _check(self, train: LabelledSeries, test: LabelledSeries) -> tuple[str, ...]:
        """Return the class names, if both files fit each other and what is expected."""
        names = tuple(sorted(set(train.labels)))
        wanted = self.num_classes
        if len(names) < 2:
            raise DataFileError(train.path, f"must hold at least two classes, got {names[0]!r} alone")
        if wanted is not None and len(names) != wanted:
            raise DataFileError(
                train.path, f"must hold num_classes={wanted} classes, got {len(names)}; set num_classes of the data,"
                " the task and the network to that",
            )  # fmt: skip
        for part in (train, test):
            for index, (values, label) in enumerate(zip(part.values, part.labels, strict=True)):
                if label not in names:
                    raise part.error(index, f"must have a label that {train.path.name} has, got {label!r}")
                if len(values) != train.num_channels:
                    wanted_channels = f"{train.num_channels} dimension(s) as {train.path.name} has"
                    raise part.error(index, f"must have {wanted_channels}, got {len(values)}")
        return names

    def _check_channels(self, path: Path, channels: int) -> None:
        if self.in_channels is not None and channels != self.in_channels:
            got = f"{channels}, the mask included" if self.options.lengths == "mask" else f"{channels}"
            advice = "set in_channels of the data and the network to that"
            raise DataFileError(path, f"must give in_channels={self.in_channels} channels, got {got}; {advice}")


def cut_validation(source: LabelledSeries, fraction: float) -> tuple[LabelledSeries, LabelledSeries]:
    """Cut a share off every class: the rest, and the share, in the order of the file; always the same.

    Args:
        source: the series.
        fraction: share of each class, rounded to at least one series; a class of one series is left whole.

    Raises:
        DataFileError: no class has two series.
    """
    generator = np.random.default_rng(_SPLIT_SEED)
    labels = np.array(source.labels)
    taken: list[int] = []
    for label in sorted(set(source.labels)):
        members = generator.permutation(np.flatnonzero(labels == label))
        taken += members[: min(max(1, round(fraction * len(members))), len(members) - 1)].tolist()
    if not taken:
        raise DataFileError(source.path, "must have a class of two series or more, to cut a validation part from it")
    rest = sorted(set(range(len(source))) - set(taken))
    return source.select(rest), source.select(sorted(taken))


def _targets(part: LabelledSeries, names: tuple[str, ...]) -> Tensor:
    number_of = {name: index for index, name in enumerate(names)}
    return torch.tensor([number_of[label] for label in part.labels], dtype=torch.int64)


def _tree(name: str) -> str:
    return f"""{name}/
    {name}_TRAIN.tsv    label and values, separated by tabs
    {name}_TEST.tsv

or

{name}/
    {name}_TRAIN.ts     a header, then dimensions separated by colons and the label
    {name}_TEST.ts"""

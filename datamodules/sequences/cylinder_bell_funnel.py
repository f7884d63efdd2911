"""Cylinder, bell and funnel: three kinds of generated series (Saito, 1994)."""

import numpy as np
import torch
from torch.utils.data import TensorDataset

from datamodules.base import BaseDataModule, Splits
from datamodules.sequences.preparing import standardised
from datamodules.sequences.series import FloatArray
from lpsc_nd._checks import integer

CLASS_NAMES = ("cylinder", "bell", "funnel")
LENGTH = 128

_CBF_STREAM = 9  # keeps these random numbers apart from others of the same seed
_TRAIN, _VAL, _TEST = range(3)


class CylinderBellFunnelDataModule(BaseDataModule):
    r"""Cylinder-bell-funnel: series of 128 values and three classes, at hand without a download.

    With t from 1 to 128, an onset a from 16 to 32, a duration b - a from 32 to 96 (whole numbers, uniform), and normal
    eta and epsilon(t)

        cylinder: (6 + eta) * [a <= t <= b] + epsilon(t)
        bell:     (6 + eta) * [a <= t <= b] * (t - a) / (b - a) + epsilon(t)
        funnel:   (6 + eta) * [a <= t <= b] * (b - t) / (b - a) + epsilon(t)

    Series ``i`` of a part is of class ``i % 3`` and follows from ``seed``, part and ``i`` alone.

    Args:
        num_train: training series; few of them are what makes the task hard.
        num_val: validation series.
        num_test: test series.
        seed: of the series; it does not depend on the training's seed.
        normalize: standardise each series by itself (z-normalisation).
        batch_size: series per batch.
        num_workers: processes that load batches.

    Shape:
        A batch is ``(x, target)``: x ``(B, 1, 128)`` float32, target ``(B,)`` int64 from 0 to 2.

    Raises:
        TypeError, ValueError: an argument is of a wrong type or out of range.
    """

    class_names = CLASS_NAMES

    def __init__(
        self,
        num_train: int = 30,
        num_val: int = 30,
        num_test: int = 900,
        seed: int = 0,
        normalize: bool = False,
        batch_size: int = 16,
        num_workers: int = 0,
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.num_train = integer("num_train", num_train, minimum=1)
        self.num_val = integer("num_val", num_val, minimum=1)
        self.num_test = integer("num_test", num_test, minimum=1)
        self.seed = integer("seed", seed, minimum=0)
        self.normalize = normalize

    def load_splits(self) -> Splits:
        """Generate the three independent parts."""
        sizes = {_TRAIN: self.num_train, _VAL: self.num_val, _TEST: self.num_test}
        return Splits(*(self._part(part, size) for part, size in sizes.items()))

    def _part(self, part: int, size: int) -> TensorDataset:
        labels = np.arange(size) % len(CLASS_NAMES)
        x = np.stack([_series((self.seed, part, index), int(label)) for index, label in enumerate(labels)])
        x = standardised(x) if self.normalize else x
        return TensorDataset(torch.from_numpy(x[:, None].astype(np.float32)), torch.from_numpy(labels))


def _series(key: tuple[int, int, int], label: int) -> FloatArray:
    generator = np.random.default_rng((_CBF_STREAM, *key))
    time = np.arange(1, LENGTH + 1)
    onset = generator.integers(16, 33)
    duration = generator.integers(32, 97)
    height = 6 + generator.normal()
    rise = (time - onset) / duration
    shape = (np.ones(LENGTH), rise, 1 - rise)[label]
    inside = (rise >= 0) & (rise <= 1)
    return height * inside * shape + generator.normal(size=LENGTH)

"""The order in which training samples are visited, and the keys that make their random transforms reproducible."""

from collections.abc import Iterator, Sized
from dataclasses import dataclass

import numpy as np
import torch
from torch.utils.data import Sampler

_TRANSFORM_STREAM = 1  # keeps the transforms' random numbers apart from those that generate or sample data
_SEED_RANGE = 2**64


class SeededShuffle(Sampler[int]):
    """Visits every sample once per epoch, in an order that depends on the seed and the epoch alone.

    The seed is the one last given to :func:`torch.manual_seed` (Lightning's ``seed_everything``). Whatever else drew
    random numbers, such as the initialisation of another network, the order is the same; and a run resumed at epoch
    ``n`` visits what an uninterrupted run visits.

    Args:
        data: the data set, of which only the length is used.
    """

    def __init__(self, data: Sized) -> None:
        self.data = data
        self.seed = torch.initial_seed()
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass; Lightning calls this before each."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed((self.seed + 1_000_003 * self.epoch) % 2**63)
        yield from torch.randperm(len(self.data), generator=generator).tolist()

    def __len__(self) -> int:
        return len(self.data)


@dataclass(frozen=True)
class SampleKey:
    """Which sample, and what its random transforms may depend on: the training seed and the epoch."""

    index: int
    seed: int = 0
    epoch: int = 0

    def generator(self) -> np.random.Generator:
        """Return a generator of random numbers that depends on the key alone."""
        return np.random.default_rng((_TRANSFORM_STREAM, self.seed % _SEED_RANGE, self.epoch, self.index))


class KeyedShuffle(Sampler[SampleKey]):
    """The order of :class:`SeededShuffle`, as keys that carry seed and epoch to the workers.

    A worker process does not know the epoch; with the key it draws the same numbers as any other worker would.

    Args:
        data: the data set, of which only the length is used.
    """

    def __init__(self, data: Sized) -> None:
        self.order = SeededShuffle(data)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch of the next pass; Lightning calls this before each."""
        self.order.set_epoch(epoch)

    def __iter__(self) -> Iterator[SampleKey]:
        for index in self.order:
            yield SampleKey(index, self.order.seed, self.order.epoch)

    def __len__(self) -> int:
        return len(self.order)

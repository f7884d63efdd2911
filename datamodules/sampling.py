"""The order in which training samples are visited."""

from collections.abc import Iterator, Sized

import torch
from torch.utils.data import Sampler


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

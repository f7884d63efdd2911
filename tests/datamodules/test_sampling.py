"""The order of the training samples."""

import torch

from datamodules.sampling import SeededShuffle


def order(seed=0, epoch=0, draws=0, size=50):
    torch.manual_seed(seed)
    torch.rand(draws)
    sampler = SeededShuffle(range(size))
    sampler.set_epoch(epoch)
    return list(sampler)


def test_each_sample_once():
    assert sorted(order()) == list(range(50))
    assert len(SeededShuffle(range(50))) == 50


def test_the_order_depends_on_seed_and_epoch_alone():
    assert order(seed=3, epoch=2) == order(seed=3, epoch=2, draws=1000)
    assert order(seed=3, epoch=2) != order(seed=4, epoch=2)
    assert order(seed=3, epoch=2) != order(seed=3, epoch=3)


def test_large_seeds_are_accepted():
    assert sorted(order(seed=2**32 - 1, epoch=10**6)) == list(range(50))

"""One vector per cloud."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from lpsc_nd.points import global_pool

NAN = float("nan")


@given(
    data=st.data(),
    seed=st.integers(0, 2**16),
    channels=st.sampled_from([(), (3,), (2, 2), (0,)]),
    extra=st.integers(0, 2),
)
@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
def test_global_pooling_is_pooling_cloud_by_cloud(reduction, data, seed, channels, extra, batches):
    batch = torch.tensor(data.draw(batches(data.draw(st.integers(0, 12)))))
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn((len(batch), *channels), generator=generator, dtype=torch.float64, requires_grad=True)
    pooled = global_pool(x, batch, 4 + extra, reduction)
    by_hand = {"mean": torch.mean, "sum": torch.sum, "max": torch.amax}[reduction]
    expected = [
        by_hand(x[batch == cloud], dim=0) if (batch == cloud).any() else torch.zeros(channels, dtype=torch.float64)
        for cloud in range(4 + extra)
    ]
    torch.testing.assert_close(pooled, torch.stack(expected))
    weights = torch.randn(pooled.shape, generator=generator, dtype=torch.float64)
    (slope,) = torch.autograd.grad((pooled * weights).sum(), x)
    if len(batch):
        (by_hand_slope,) = torch.autograd.grad((torch.stack(expected) * weights).sum(), x)
        torch.testing.assert_close(slope, by_hand_slope)


@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
def test_global_pooling_has_second_derivatives(reduction):
    x = torch.randn(6, 2, dtype=torch.float64, requires_grad=True)
    batch = torch.tensor([0, 0, 0, 2, 2, 2])

    def pool(x):
        return global_pool(x, batch, 4, reduction)

    assert torch.autograd.gradcheck(pool, x)
    assert torch.autograd.gradgradcheck(pool, x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_global_pooling_does_not_lose_digits_over_many_points(dtype):
    x = torch.full((100_000, 1), 0.1, dtype=dtype)
    assert global_pool(x, reduction="mean").item() == x[0].item()
    assert global_pool(x).dtype == dtype


def test_global_pooling_passes_on_what_is_not_finite():
    x = torch.tensor([NAN, 1.0, -math.inf])
    batch = torch.tensor([0, 0, 1])
    assert global_pool(x, batch, 3, "max").tolist()[1:] == [-math.inf, 0.0]
    assert global_pool(x, batch, 3, "max")[0].isnan()


ONES = torch.ones(3, 2)
BAD = [
    ((np.ones(3),), {}, TypeError, "x must be a floating-point tensor, got ndarray"),
    ((ONES.long(),), {}, TypeError, "x must be a floating-point tensor, got torch.int64"),
    ((torch.tensor(1.0),), {}, ValueError, r"x must have shape \(n, \.\.\.\)"),
    ((ONES, [0, 0, 1]), {}, ValueError, "num_clouds must be given with batch"),
    ((ONES, [0, 0, 1], 1), {}, ValueError, "batch must be below num_clouds, 1, got 1"),
    ((ONES, [0, 1, 0], 2), {}, ValueError, "batch must be ascending"),
    ((ONES, [0, 0, 1], 2, "median"), {}, ValueError, "reduction must be one of 'mean', 'sum', 'max'"),
]


@pytest.mark.parametrize(("arguments", "options", "error", "words"), BAD)
def test_bad_arguments(arguments, options, error, words):
    with pytest.raises(error, match=words):
        global_pool(*arguments, **options)


@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated:DeprecationWarning")
@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
def test_transforms(reduction):
    x, batch = torch.randn(3, 6, 2, dtype=torch.float64), torch.tensor([0, 0, 0, 2, 2, 2])

    def loss(sample):
        return global_pool(sample, batch, 4, reduction).square().sum()

    direction = x.flip(0)
    alone = [global_pool(sample, batch, 4, reduction) for sample in x]
    together = torch.func.vmap(lambda sample: global_pool(sample, batch, 4, reduction))(x)
    torch.testing.assert_close(together, torch.stack(alone))
    slopes = torch.func.vmap(torch.func.grad(loss))(x)
    sample = x[0].clone().requires_grad_()
    torch.testing.assert_close(slopes[0], torch.autograd.grad(loss(sample), sample)[0])
    _, tangent = torch.func.jvp(torch.func.vmap(loss), (x,), (direction,))
    torch.testing.assert_close(tangent, (slopes * direction).sum(dim=(1, 2)))
    curved = torch.func.hessian(loss)(x[0])
    torch.testing.assert_close(curved, torch.autograd.functional.hessian(loss, x[0]))
    with pytest.raises(RuntimeError, match="storage"):
        torch.func.vmap(lambda own: global_pool(x[0], own, 4, reduction))(batch.expand(2, 6))

"""Pooling on a GPU against pooling on the CPU."""

import pytest
import torch

from lpsc_nd import LogPolarPool1d, LogPolarPool2d, LogPolarPool3d
from lpsc_nd.layers.pool_nd import LogPolarPoolNd

POOLS = {
    "1d": (lambda **options: LogPolarPool1d(17, 2, 8, num_levels=3, **options), (2, 3, 40)),
    "2d": (lambda **options: LogPolarPool2d(9, padding=4, **options), (2, 3, 14, 12)),
    "2d map": (lambda **options: LogPolarPool2d(9, padding=4, layout="map", **options), (2, 3, 14, 12)),
    "3d": (lambda **options: LogPolarPool3d(5, padding=2, num_levels=1, **options), (1, 2, 8, 7, 6)),
    "4d": (lambda **options: LogPolarPoolNd(4, 3, padding=1, num_levels=1, **options), (1, 2, 4, 3, 4, 3)),
}


@pytest.mark.filterwarnings("ignore:.*regions are empty:UserWarning")
@pytest.mark.parametrize("reduction", ["mean", "sum", "max"])
@pytest.mark.parametrize("name", POOLS)
def test_values_and_gradient(name, reduction):
    make, shape = POOLS[name]
    pool, x = make(reduction=reduction), torch.randn(shape, dtype=torch.float64)
    results = []
    for device in ("cpu", "cuda"):
        leaf = x.to(device).requires_grad_()
        y = pool(leaf)
        cotangent = torch.cos(torch.arange(y.numel(), dtype=y.dtype)).view(y.shape).to(device)
        results.append([y.detach().cpu(), torch.autograd.grad(y, leaf, cotangent)[0].cpu()])
    torch.testing.assert_close(results[1], results[0], rtol=1e-9, atol=1e-9)


def test_sums_are_exact_in_float32_also_where_convolutions_are_not():
    """PyTorch lets cuDNN round the input of a convolution to TF32; a pooling layer is to add what it is given."""
    x = 100 + torch.randn(2, 8, 24, 24, device="cuda")
    pool = LogPolarPool2d(9, padding=4, reduction="sum")
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=True):
        torch.testing.assert_close(pool(x).double(), pool(x.double()), rtol=1e-6, atol=1e-3)

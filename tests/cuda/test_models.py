"""Networks on a GPU against the same on the CPU: output and gradients of all parameters."""

import copy
from functools import partial

import pytest
import torch

from lpsc_nd import LPSConv1d, LPSConv2d, LPSConv3d
from lpsc_nd.models import CausalNet, CifarResNet, DeepLabV3Plus, MaskedResidualNet, ResidualNet, UNet

WIDE = {"num_levels": 1, "bias": False}
NETWORKS = {
    "residual": (lambda: ResidualNet(2, partial(LPSConv2d, kernel_size=5, padding=2, **WIDE), 3, 5), (2, 3, 20, 18)),
    "u-net": (lambda: UNet(3, partial(LPSConv3d, kernel_size=5, padding=2, **WIDE), 1, 3, (4, 8)), (1, 1, 10, 9, 8)),
    "resnet": (lambda: CifarResNet(20, 10, "lpsc"), (2, 3, 32, 32)),
    "deeplab": (lambda: DeepLabV3Plus(6, "lpsc_center"), (2, 3, 65, 65)),
    "causal": (
        lambda: CausalNet(partial(LPSConv1d, kernel_size=9, padding="same", causal=True, **WIDE), 2, 3), (2, 2, 40),
    ),
}  # fmt: skip


def assert_equal_on_both(network, inputs):
    results = []
    for device in ("cpu", "cuda"):
        moved = copy.deepcopy(network).double().eval().to(device)
        y = moved(*(value.to(device) for value in inputs))
        gradients = torch.autograd.grad(y.square().mean(), list(moved.parameters()), allow_unused=True)
        results.append([value.detach().cpu() for value in (y, *gradients) if value is not None])
    torch.testing.assert_close(results[1], results[0], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks(name):
    torch.manual_seed(0)
    build, shape = NETWORKS[name]
    assert_equal_on_both(build(), [torch.randn(shape, dtype=torch.float64)])


def test_series_of_unequal_lengths():
    torch.manual_seed(0)
    network = MaskedResidualNet(partial(LPSConv1d, kernel_size=9, padding="same", **WIDE), 2, 4)
    x = torch.randn(3, 2, 40, dtype=torch.float64)
    x[:, -1] = (torch.arange(40) < torch.tensor([40, 7, 21])[:, None]).to(x)  # the mask
    assert_equal_on_both(network, [x * x[:, -1:]])

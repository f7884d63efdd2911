"""The table of torch layers."""

import pytest
from torch import nn

from lpsc_nd.models.builder import torch_layers


@pytest.mark.parametrize(("ndim", "norm"), [(1, nn.BatchNorm1d), (2, nn.BatchNorm2d), (3, nn.BatchNorm3d)])
def test_layers_of_each_dimension(ndim, norm):
    assert torch_layers(ndim).norm is norm


@pytest.mark.parametrize("ndim", [0, 4, -1])
def test_other_dimensions_are_refused(ndim):
    with pytest.raises(ValueError, match=rf"ndim must be one of \[1, 2, 3\].*got {ndim}"):
        torch_layers(ndim)

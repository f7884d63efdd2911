"""Log-polar space convolution (LPSC) in any number of dimensions.

A kernel's weights are shared over regions, directions times logarithmic distance levels, so the receptive field grows
exponentially while the parameters stay few (Su and Wen, NeurIPS 2022). Importing this package needs torch, numpy and
scipy alone.
"""

from lpsc_nd import functional
from lpsc_nd.geometry import CellPartition, LogPolarPartition, Partition, Stencil, build_mask, direction_set
from lpsc_nd.layers import (
    CrossConv1d,
    CrossConv2d,
    CrossConv3d,
    Explanation,
    LogPolarPool1d,
    LogPolarPool2d,
    LogPolarPool3d,
    LogPolarPoolNd,
    LPSConv1d,
    LPSConv2d,
    LPSConv3d,
    LPSConvNd,
    LPSPointConv,
)
from lpsc_nd.points import Neighborhood

__version__ = "0.1.0"

__all__ = [
    "CellPartition",
    "CrossConv1d",
    "CrossConv2d",
    "CrossConv3d",
    "Explanation",
    "LPSConv1d",
    "LPSConv2d",
    "LPSConv3d",
    "LPSConvNd",
    "LPSPointConv",
    "LogPolarPartition",
    "LogPolarPool1d",
    "LogPolarPool2d",
    "LogPolarPool3d",
    "LogPolarPoolNd",
    "Neighborhood",
    "Partition",
    "Stencil",
    "build_mask",
    "direction_set",
    "functional",
]

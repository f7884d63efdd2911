"""Layers: log-polar convolution and pooling as torch modules."""

from lpsc_nd.layers.conv import LPSConv1d, LPSConv2d, LPSConv3d
from lpsc_nd.layers.conv_nd import LPSConvNd
from lpsc_nd.layers.cross import CrossConv1d, CrossConv2d, CrossConv3d
from lpsc_nd.layers.explanation import Explanation
from lpsc_nd.layers.points import LPSPointConv
from lpsc_nd.layers.pool import LogPolarPool1d, LogPolarPool2d, LogPolarPool3d
from lpsc_nd.layers.pool_nd import LogPolarPoolNd

__all__ = [
    "CrossConv1d",
    "CrossConv2d",
    "CrossConv3d",
    "Explanation",
    "LPSConv1d",
    "LPSConv2d",
    "LPSConv3d",
    "LPSConvNd",
    "LPSPointConv",
    "LogPolarPool1d",
    "LogPolarPool2d",
    "LogPolarPool3d",
    "LogPolarPoolNd",
]

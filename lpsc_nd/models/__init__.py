"""Networks whose convolution is passed in as a builder."""

from lpsc_nd.models.builder import ConvBuilder
from lpsc_nd.models.resnet import ResidualBlock, ResidualNet

__all__ = ["ConvBuilder", "ResidualBlock", "ResidualNet"]

"""Log-polar space convolution in any number of dimensions."""

from lpsc_nd.geometry import CellPartition, LogPolarPartition, Partition, Stencil, build_mask, direction_set

__version__ = "0.1.0"

__all__ = ["CellPartition", "LogPolarPartition", "Partition", "Stencil", "build_mask", "direction_set"]

"""Geometry: partitions of the space around a centre, and their stencils on a grid. numpy in, numpy out."""

from lpsc_nd.geometry.cells import CellPartition
from lpsc_nd.geometry.direction_sets import direction_set
from lpsc_nd.geometry.levels import Convention
from lpsc_nd.geometry.log_polar import LogPolarPartition
from lpsc_nd.geometry.map_layout import map_layout
from lpsc_nd.geometry.partition import BoundedPartition, Field, Partition
from lpsc_nd.geometry.stencil import Reduction, Stencil, build_mask

__all__ = [
    "BoundedPartition",
    "CellPartition",
    "Convention",
    "Field",
    "LogPolarPartition",
    "Partition",
    "Reduction",
    "Stencil",
    "build_mask",
    "direction_set",
    "map_layout",
]

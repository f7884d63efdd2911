"""Geometry: partitions of the space around a centre, and their stencils on a grid. numpy in, numpy out."""

from lpsc_nd.geometry.ball import ball_partition, ball_window
from lpsc_nd.geometry.causal import CausalPartition
from lpsc_nd.geometry.cells import CellPartition
from lpsc_nd.geometry.direction_sets import direction_set
from lpsc_nd.geometry.levels import Convention
from lpsc_nd.geometry.log_polar import LogPolarPartition
from lpsc_nd.geometry.map_layout import map_layout
from lpsc_nd.geometry.mask import build_mask
from lpsc_nd.geometry.partition import BoundedPartition, Field, Partition
from lpsc_nd.geometry.stencil import Reduction, Stencil

__all__ = [
    "BoundedPartition",
    "CausalPartition",
    "CellPartition",
    "Convention",
    "Field",
    "LogPolarPartition",
    "Partition",
    "Reduction",
    "Stencil",
    "ball_partition",
    "ball_window",
    "build_mask",
    "direction_set",
    "map_layout",
]

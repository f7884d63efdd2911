"""Point sets: neighbourhoods, and operations on clouds. numpy and scipy search; the results are tensors."""

from lpsc_nd.points.farthest_point import farthest_point_sample
from lpsc_nd.points.global_pool import global_pool
from lpsc_nd.points.grid_subsample import Subsample, grid_subsample
from lpsc_nd.points.neighborhood import Neighborhood
from lpsc_nd.points.pyramid import PointPyramid
from lpsc_nd.points.pyramid_building import PyramidBuilder
from lpsc_nd.points.pyramid_cache import CachedPyramids
from lpsc_nd.points.upsample import nearest_upsample

__all__ = [
    "CachedPyramids",
    "Neighborhood",
    "PointPyramid",
    "PyramidBuilder",
    "Subsample",
    "farthest_point_sample",
    "global_pool",
    "grid_subsample",
    "nearest_upsample",
]

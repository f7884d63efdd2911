"""Looking at partitions, layers, networks and images: tables of regions, receptive fields, correlations, drawings.

The drawings need matplotlib, which is imported when a figure is drawn, not before.
"""

from lpsc_nd.inspect.clouds import PartCloud, draw_cloud_regions, draw_parts
from lpsc_nd.inspect.correlation import RegionCorrelation, correlation_map, region_correlations
from lpsc_nd.inspect.correlation_figure import draw_correlations
from lpsc_nd.inspect.curves import draw_curves
from lpsc_nd.inspect.gradient_lines import draw_gradient_lines
from lpsc_nd.inspect.gradient_maps import draw_gradient_maps, effective_cells
from lpsc_nd.inspect.gradient_slices import draw_gradient_slices
from lpsc_nd.inspect.kernel_grid import draw_kernel_grid
from lpsc_nd.inspect.kernels import draw_kernels, region_weights, window_taps
from lpsc_nd.inspect.maps import draw_region_map
from lpsc_nd.inspect.masks import mask_pictures
from lpsc_nd.inspect.receptive_field import (
    bounding_box,
    input_gradient,
    input_gradients,
    last_map,
    reaches_border,
    receptive_field,
)
from lpsc_nd.inspect.regions import Region, empty_regions, region_table
from lpsc_nd.inspect.volumes import draw_exploded, draw_slices

__all__ = [
    "PartCloud",
    "Region",
    "RegionCorrelation",
    "bounding_box",
    "correlation_map",
    "draw_cloud_regions",
    "draw_correlations",
    "draw_curves",
    "draw_exploded",
    "draw_gradient_lines",
    "draw_gradient_maps",
    "draw_gradient_slices",
    "draw_kernel_grid",
    "draw_kernels",
    "draw_parts",
    "draw_region_map",
    "draw_slices",
    "effective_cells",
    "empty_regions",
    "input_gradient",
    "input_gradients",
    "last_map",
    "mask_pictures",
    "reaches_border",
    "receptive_field",
    "region_correlations",
    "region_table",
    "region_weights",
    "window_taps",
]

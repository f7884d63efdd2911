"""Looking at partitions, layers and networks: tables of regions, receptive fields, drawings.

The drawings need matplotlib, which is imported when a figure is drawn, not before.
"""

from lpsc_nd.inspect.curves import draw_curves
from lpsc_nd.inspect.flops import Work, module_work
from lpsc_nd.inspect.kernels import draw_kernels, window_taps
from lpsc_nd.inspect.layer_table import LayerRow, LayerTable, layer_table
from lpsc_nd.inspect.maps import draw_region_map
from lpsc_nd.inspect.receptive_field import receptive_field
from lpsc_nd.inspect.regions import Region, empty_regions, region_table

__all__ = [
    "LayerRow",
    "LayerTable",
    "Region",
    "Work",
    "draw_curves",
    "draw_kernels",
    "draw_region_map",
    "empty_regions",
    "layer_table",
    "module_work",
    "receptive_field",
    "region_table",
    "window_taps",
]

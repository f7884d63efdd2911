"""Voxels that are not cubes: the layers' spacing and that of the data."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from jsonargparse import Namespace
from torch import nn

from lpsc_nd import _checks
from lpsc_nd.layers import LPSConvNd

_TOLERANCE = 1e-3  # of ratios; affine matrices hold single precision


def check_layer_spacing(network: nn.Module, spacing: Sequence[float]) -> None:
    """Compare the spacing of a network's log-polar layers with that of its data, up to a common factor.

    Pooling coarsens all axes alike, so ratios are what layers at all depths share. A layer without a spacing takes
    voxels for cubes. Layers of another dimension than the data are not looked at.

    Raises:
        ValueError: the ratios differ; the regions of such a layer would not be isotropic in millimetres.
    """
    for name, layer in network.named_modules():
        if not isinstance(layer, LPSConvNd) or layer.ndim != len(spacing):
            continue
        own = _checks.numbers("spacing", 1.0 if layer.spacing is None else layer.spacing, layer.ndim, above=0.0)
        if not np.allclose(_ratios(own), _ratios(spacing), rtol=_TOLERANCE):
            raise ValueError(
                f"the layers' spacing must have the ratios of the data's, {tuple(spacing)}, so that regions are"
                f" isotropic in millimetres; {name or 'the network'} has {layer.spacing and own}: give the"
                " layers this spacing, or write spacing_from_data: true into the configuration"
            )


def set_layer_spacing(settings: Namespace, data: Any) -> int:
    """Write the spacing of a data module into a model's configuration, wherever a spacing is open and none is given.

    Returns:
        in how many places.

    Raises:
        ValueError: the data has no spacing, or there is no such place.
    """
    spacing = getattr(data, "spacing", None)
    if spacing is None:
        raise ValueError(f"spacing_from_data needs data with a spacing, and {type(data).__name__} has none")
    places = [place for place in _namespaces(settings) if "spacing" in place]
    if not places:
        raise ValueError("spacing_from_data needs layers that take a spacing, and the network has none")
    open_places = [place for place in places if place["spacing"] is None]
    for place in open_places:
        place["spacing"] = [float(extent) for extent in spacing]
    return len(open_places)


def _namespaces(value: Any) -> Iterator[Namespace]:
    """Walk a configuration's groups of arguments."""
    if isinstance(value, Namespace):
        yield value
        value = list(vars(value).values())
    elif isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _namespaces(part)


def _ratios(spacing: Sequence[float]) -> list[float]:
    return [extent / spacing[0] for extent in spacing]

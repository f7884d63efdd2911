"""Builders of the convolutions that are compared: conventional, dilated and log-polar, in any number of dimensions.

Each returns a :class:`~lpsc_nd.models.ConvBuilder` whose convolutions keep the spatial size and have no bias, as a
normalisation follows them in every network.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from lpsc_nd import _checks
from lpsc_nd.layers import LPSConvNd
from lpsc_nd.layers.dense_twin import CONV_CLASSES
from lpsc_nd.models.builder import ConvBuilder


def conv(ndim: int, kernel_size: int | Sequence[int] = 3, **options: Any) -> ConvBuilder:
    """Return a builder of nn.ConvNd.

    Args:
        ndim: number of spatial axes: 1, 2 or 3.
        kernel_size: window, per axis or one for all.
        options: further keywords of nn.ConvNd, such as ``bias=True`` or ``padding_mode``.

    Raises:
        ValueError, TypeError: ``ndim`` is not 1, 2 or 3, or a window out of range.

    >>> conv(3)(4, 8).weight.shape
    torch.Size([8, 4, 3, 3, 3])
    """
    return _torch(ndim, kernel_size, 1, options)


def dilated(
    ndim: int, kernel_size: int | Sequence[int] = 3, dilation: int | Sequence[int] = 2, **options: Any
) -> ConvBuilder:
    """Return a builder of nn.ConvNd with dilation.

    Args:
        ndim: number of spatial axes: 1, 2 or 3.
        kernel_size: window, per axis or one for all.
        dilation: distance of neighbouring cells, per axis or one for all.
        options: further keywords of nn.ConvNd.

    Raises:
        ValueError, TypeError: ``ndim`` is not 1, 2 or 3, or a window or dilation out of range.

    >>> dilated(1, 3, 4)(4, 8).dilation
    (4,)
    """
    return _torch(ndim, kernel_size, dilation, options)


def log_polar(ndim: int, kernel_size: int | Sequence[int] | None = None, **options: Any) -> ConvBuilder:
    """Return a builder of :class:`~lpsc_nd.LPSConvNd`.

    Args:
        ndim: number of spatial axes.
        kernel_size: window, per axis or one for all; it may be left out where ``radius`` is given.
        options: further keywords of LPSConvNd: num_levels, num_directions, growth, radius, spacing, causal, ...

    Raises:
        ValueError, TypeError: ``ndim`` or the window out of range; the other keywords are checked by the layer.

    >>> log_polar(3, 7, num_levels=2, num_directions=(2, 4))(4, 8).weight.shape
    torch.Size([8, 4, 16])
    """
    axes = _checks.integer("ndim", ndim, minimum=1)
    if kernel_size is not None:
        options["kernel_size"] = _checks.integers("kernel_size", kernel_size, axes, minimum=1)
    return partial(LPSConvNd, axes, **{"padding": "same", "bias": False, **options})


def _torch(
    ndim: int, kernel_size: int | Sequence[int], dilation: int | Sequence[int], options: dict[str, Any]
) -> ConvBuilder:
    if _checks.integer("ndim", ndim, minimum=1) not in CONV_CLASSES:
        raise ValueError(f"ndim must be one of {sorted(CONV_CLASSES)}, as nn.ConvNd has, got {ndim}")
    size = _checks.integers("kernel_size", kernel_size, ndim, minimum=1)
    steps = _checks.integers("dilation", dilation, ndim, minimum=1)
    return partial(
        CONV_CLASSES[ndim], **{"kernel_size": size, "padding": "same", "dilation": steps, "bias": False, **options}
    )

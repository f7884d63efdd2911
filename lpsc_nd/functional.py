"""Functional forms of the layers, as torch.nn.functional has them for nn.ConvNd."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from lpsc_nd import _checks
from lpsc_nd.geometry import Reduction, Stencil
from lpsc_nd.geometry.stencil import REDUCTIONS
from lpsc_nd.points import Neighborhood
from lpsc_nd.pooling import execute, inputs, point_execute, point_inputs
from lpsc_nd.pooling.dispatch import ENGINES, Engine, check_engine
from lpsc_nd.pooling.padding import PADDING_MODES, PaddingMode, padding_amounts
from lpsc_nd.pooling.point_execute import NORMALIZATIONS, POINT_ENGINES, Normalize, PointEngine
from lpsc_nd.pooling.point_plan import Links
from lpsc_nd.pooling.window import Window


def lps_conv(
    input: Tensor,
    weight: Tensor,
    stencil: Stencil,
    bias: Tensor | None = None,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    *,
    center_weight: Tensor | None = None,
    padding_mode: PaddingMode = "zeros",
    reduction: Reduction = "mean",
    engine: Engine = "auto",
) -> Tensor:
    """Convolve with one weight per region of a window (Eq. 3 of the paper, Section 3.1, in any number of dimensions).

        y[s] = W0 x[s] + sum_r W_r * reduce(x over the cells of region r around s) + b

    The mean divides by N_r everywhere, padding counted; a region without cells contributes 0.

    Args:
        input: (B, C, *size) or (C, *size).
        weight: (C', C / groups, R), one weight per region.
        stencil: the regions of the window, from ``Stencil.build`` or ``Stencil.from_mask``.
        bias: (C',).
        stride, padding, dilation, groups, padding_mode: as in nn.ConvNd; dilation spreads the stencil's cells.
        center_weight: (C', C / groups), the weight of the centre cell.
        reduction: "mean", "sum" or "max" over a region. Padded zeros take part in each of them.
        engine: "auto", or one by name.

    Returns:
        Tensor (B, C', *out) or (C', *out).

    Raises:
        ValueError, TypeError: an argument out of its range or of another type, an engine that cannot run this.
        RuntimeError: tensors whose shapes, types or devices do not fit together.

    >>> import torch
    >>> ramp = torch.arange(6.0).view(1, 6)
    >>> lps_conv(ramp, torch.ones(1, 1, 1), Stencil.from_mask([1, 0, 1]))
    tensor([[1., 2., 3., 4.]])
    """
    window = make_window(stencil, stride, padding, dilation, center=center_weight is not None)
    check_modes(padding_mode, reduction, engine)
    check_engine(engine, window, reduction)
    _check_weights(weight, center_weight, bias, stencil.num_regions)
    groups = check_groups(groups, out_channels=weight.shape[0])
    return execute.conv(input, weight, center_weight, bias, window, groups, padding_mode, reduction, engine)


def log_polar_pool(
    input: Tensor,
    stencil: Stencil,
    stride: int | Sequence[int] = 1,
    padding: str | int | Sequence[int] = 0,
    dilation: int | Sequence[int] = 1,
    *,
    padding_mode: PaddingMode = "zeros",
    reduction: Reduction = "mean",
    engine: Engine = "auto",
) -> Tensor:
    """Pool the regions around every output site (Section 3.2 of the paper).

    Args:
        input: (B, C, *size) or (C, *size).
        stencil: the regions of the window.
        stride, padding, dilation, padding_mode: as in nn.ConvNd.
        reduction: "mean", "sum" or "max" over a region; a region without cells gives 0.
        engine: "auto", or one by name.

    Returns:
        Tensor (B, C, R, *out) or (C, R, *out).

    Raises:
        ValueError, TypeError: an argument out of its range or of another type, an engine that cannot run this.
        RuntimeError: an input of another rank, or smaller than the window.
    """
    check_modes(padding_mode, reduction, engine)
    window = make_window(stencil, stride, padding, dilation, center=False)
    check_engine(engine, window, reduction)
    return execute.pool(input, window, padding_mode, reduction, engine)


def lps_point_conv(
    x: Tensor,
    neighborhood: Neighborhood,
    weight: Tensor,
    center_weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    groups: int = 1,
    reduction: Reduction = "mean",
    normalize: Normalize = "present",
    region_sizes: Sequence[int] | None = None,
    engine: PointEngine = "auto",
) -> Tensor:
    """Convolve values on points with one weight per region (Eq. 3 of the paper, Section 3.1, on a point set).

        y[q] = W0 x[center(q)] + sum_r W_r * reduce(x over the sources in region r around q) + b

    A region without sources contributes 0, and so does the centre of a query at which no source lies.

    Args:
        x: (S, C), the values of the neighbourhood's sources.
        neighborhood: which sources lie in which region around which query.
        weight: (C', C / groups, R), one weight per region.
        center_weight: (C', C / groups), the weight of the source at the query.
        bias: (C',).
        groups: blocks of channels that do not see each other, as in nn.ConvNd.
        reduction: "mean", "sum" or "max" over a region.
        normalize: what the mean divides by: "present", the sources that are there; "grid", ``region_sizes``.
        region_sizes: cells of each region on the grid that the weights come from, ``Stencil.counts``.
        engine: "auto", or one by name.

    Returns:
        Tensor (Q, C').

    Raises:
        ValueError, TypeError: an argument out of its range or of another type, an engine that cannot run this.
        RuntimeError: tensors and a neighbourhood whose sizes, types or devices do not fit together.
    """
    _check_neighborhood(neighborhood)
    sizes = check_point_modes(reduction, normalize, region_sizes, engine, neighborhood.num_regions)
    divides = reduction == "mean" and normalize == "present"
    links = Links(
        neighborhood.indptr, neighborhood.indices, neighborhood.centers, neighborhood.num_regions,
        center_weight is not None, divides,
    )  # fmt: skip
    point_inputs.check_sources(x, links, neighborhood.num_sources)
    point_inputs.check_regions(weight, links)
    _check_weights(weight, center_weight, bias, neighborhood.num_regions)
    groups = check_groups(groups, out_channels=weight.shape[0])
    grid_sizes = sizes if reduction == "mean" else None
    return point_execute.conv(x, weight, center_weight, bias, links, groups, reduction, grid_sizes, engine)


def make_window(
    stencil: Stencil,
    stride: int | Sequence[int],
    padding: str | int | Sequence[int],
    dilation: int | Sequence[int],
    *,
    center: bool,
) -> Window:
    """Check how a stencil is to slide, and return it as a window."""
    if not isinstance(stencil, Stencil):
        raise TypeError(f"stencil must be a Stencil (see Stencil.build), got {type(stencil).__name__}")
    steps = _checks.integers("stride", stride, stencil.ndim, minimum=1)
    spread = _checks.integers("dilation", dilation, stencil.ndim, minimum=1)
    return Window(stencil, center, steps, spread, padding_amounts(padding, stencil.kernel_size, steps, spread))


def check_groups(groups: int, **channels: int) -> int:
    """Return ``groups`` as an int that is positive and divides each of the named numbers of channels."""
    count = _checks.integer("groups", groups, minimum=-(2**62))
    if count <= 0:
        raise ValueError(f"groups must be a positive integer, got {count}")
    for name, number in channels.items():
        if number % count:
            raise ValueError(f"{name} must be divisible by groups, got {number} and {count}")
    return count


def check_modes(padding_mode: str, reduction: str, engine: str) -> None:
    """Check the arguments that are words."""
    _checks.choice("padding_mode", padding_mode, PADDING_MODES)
    _checks.choice("reduction", reduction, REDUCTIONS)
    _checks.choice("engine", engine, ENGINES)


def check_point_modes(
    reduction: Reduction, normalize: str, region_sizes: Sequence[int] | None, engine: PointEngine, num_regions: int
) -> tuple[int, ...] | None:
    """Check how point layers are to reduce, and return the sizes of the regions on a grid if they are to be used."""
    _checks.choice("reduction", reduction, REDUCTIONS)
    _checks.choice("normalize", normalize, NORMALIZATIONS)
    _checks.choice("engine", engine, POINT_ENGINES)
    point_execute.check_engine(engine, reduction)
    if normalize == "present":
        if region_sizes is not None:
            raise ValueError("region_sizes are what normalize='grid' divides by, got them with normalize='present'")
        return None
    if region_sizes is not None:
        return _checks.integers("region_sizes", region_sizes, num_regions, minimum=0) if num_regions else ()
    if reduction == "mean":
        raise ValueError(
            "region_sizes must be given with normalize='grid', got None; a grid layer's are stencil.counts"
        )
    return None


def _check_neighborhood(neighborhood: Neighborhood) -> None:
    if not isinstance(neighborhood, Neighborhood):
        raise TypeError(
            f"neighborhood must be a Neighborhood (see Neighborhood.build), got {type(neighborhood).__name__}"
        )


def _check_weights(weight: Tensor, center_weight: Tensor | None, bias: Tensor | None, num_regions: int) -> None:
    if weight.ndim != 3 or weight.shape[-1] != num_regions:
        raise RuntimeError(
            f"Expected weight of size [out_channels, in_channels / groups, {num_regions}], "
            f"but got weight of size {_checks.shape_text(weight.shape)}"
        )
    if center_weight is not None and center_weight.shape != weight.shape[:2]:
        raise RuntimeError(
            f"Expected center_weight of size {_checks.shape_text(weight.shape[:2])}, "
            f"but got {_checks.shape_text(center_weight.shape)}"
        )
    inputs.check_bias(weight, bias)

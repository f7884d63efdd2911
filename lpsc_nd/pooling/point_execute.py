"""From checked arguments to numbers on point sets: cast, fold the divisors, choose an engine, run it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Literal, get_args

import torch
from torch import Tensor

from lpsc_nd.geometry import Reduction
from lpsc_nd.pooling import inputs, point_derivatives, point_inputs, point_reference
from lpsc_nd.pooling.autocast import cast, is_autocast, without_autocast
from lpsc_nd.pooling.plain import is_exported
from lpsc_nd.pooling.point_plan import Links
from lpsc_nd.pooling.table import compute_dtype

PointEngine = Literal["auto", "reference", "bags"]
POINT_ENGINES: tuple[str, ...] = get_args(PointEngine)

Normalize = Literal["present", "grid"]
NORMALIZATIONS: tuple[str, ...] = get_args(Normalize)


def conv(
    x: Tensor,
    weight: Tensor,
    center_weight: Tensor | None,
    bias: Tensor | None,
    links: Links,
    groups: int,
    reduction: Reduction,
    region_sizes: Sequence[int] | None,
    engine: PointEngine,
) -> Tensor:
    """Run a layer: (S, C), (C', C / groups, R) -> (Q, C'); see ``functional.lps_point_conv``.

    Args:
        x, weight, center_weight, bias, groups, reduction, engine: as there.
        links: the neighbourhood.
        region_sizes: what each region's sum is divided by, or None if ``links`` says it all.
    """
    autocast = is_autocast(x)
    inputs.check_kind(x, autocast=autocast, weight=weight, center_weight=center_weight, bias=bias)
    point_inputs.check_channels(x, weight, groups)
    if autocast:
        x = cast(x)
    with without_autocast(x, autocast=autocast):
        folded = _fold(weight, center_weight, region_sizes, compute_dtype(x.dtype))
        own_bias = None if bias is None else bias.to(folded.dtype)
        if _choose(engine, reduction) == "bags":
            return point_derivatives.conv(x, folded, own_bias, groups, *links)
        run = partial(point_reference.conv, reduction="max" if reduction == "max" else "sum")
        return run(x.to(folded.dtype), folded, own_bias, links, groups).to(x.dtype)


def check_engine(engine: PointEngine, reduction: Reduction) -> None:
    """Refuse an engine that cannot do this.

    Raises:
        ValueError: with the reason.
    """
    if engine == "bags" and reduction == "max":
        raise ValueError("engine 'bags' cannot run this: it sums, and the reduction is 'max'")


def _choose(engine: PointEngine, reduction: Reduction) -> str:
    """Take the engine that is asked for; else bag sums, but for maxima and for exported graphs, which stay plain."""
    if engine != "auto":
        return engine
    return "reference" if reduction == "max" or is_exported(()) else "bags"


def _fold(
    weight: Tensor, center_weight: Tensor | None, region_sizes: Sequence[int] | None, dtype: torch.dtype
) -> Tensor:
    """Divide each region's weight by its size, if given, and append the centre's: (C', C / groups, R [+ 1])."""
    folded = weight.to(dtype)
    if region_sizes is not None:
        folded = folded / torch.tensor([max(size, 1) for size in region_sizes], dtype=dtype, device=weight.device)
    return folded if center_weight is None else torch.cat([folded, center_weight.to(dtype).unsqueeze(-1)], dim=-1)

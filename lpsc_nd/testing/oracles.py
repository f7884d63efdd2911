"""The right answer, computed cell by cell in plain loops from the mask alone.

Nothing here imports the geometry or the engines that it judges.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Mask = NDArray[np.int64]
Pairs = Sequence[tuple[int, int]]


def dense_kernel(mask: Mask, weight: Tensor, center_weight: Tensor | None = None, reduction: str = "mean") -> Tensor:
    """Write the dense kernel that equals a layer's weights: W_r / N_r on the cells of region r, W0 added at the centre.

    Args:
        mask: region of each cell, 0 for none.
        weight: (C', C / groups, R).
        center_weight: (C', C / groups), or None.
        reduction: "mean" divides by N_r, "sum" does not.

    Returns:
        Tensor (C', C / groups, *mask.shape), differentiable in both weights.
    """
    codes = [int(code) for code in mask.ravel()]
    center = [(extent - 1) // 2 for extent in mask.shape]
    cells = []
    for cell, index in enumerate(itertools.product(*map(range, mask.shape))):
        tap = torch.zeros_like(weight[..., 0]) if weight.shape[-1] else weight.new_zeros(weight.shape[:2])
        if codes[cell]:
            share = codes.count(codes[cell]) if reduction == "mean" else 1
            tap = tap + weight[..., codes[cell] - 1] / share
        if center_weight is not None and list(index) == center:
            tap = tap + center_weight
        cells.append(tap)
    return torch.stack(cells, dim=-1).reshape(*weight.shape[:2], *mask.shape)


def brute_force_pool(
    x: NDArray[Any],
    mask: Mask,
    num_regions: int,
    *,
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
    reduction: str = "mean",
) -> NDArray[Any]:
    """Pool every region at every site in a loop: (B, C, *in) -> (B, C, R, *out); zeros beyond the border take part."""
    padded = np.pad(x, [(0, 0), (0, 0), *padding])
    extents = [d * (k - 1) + 1 for k, d in zip(mask.shape, dilation, strict=True)]
    sites = [(n - e) // s + 1 for n, e, s in zip(padded.shape[2:], extents, stride, strict=True)]
    pooled = np.zeros((*x.shape[:2], num_regions, *sites), dtype=x.dtype)
    cells: dict[int, list[tuple[int, ...]]] = {}
    for index in np.ndindex(*mask.shape):
        cells.setdefault(int(mask[index]), []).append(index)
    every = (slice(None), slice(None))
    for site, region in itertools.product(np.ndindex(*sites), range(1, num_regions + 1)):
        values = [padded[_position(site, cell, stride, dilation)] for cell in cells.get(region, [])]
        if values:
            pooled[(*every, region - 1, *site)] = _reduce(values, reduction)
    return pooled


def brute_force_conv(
    x: NDArray[Any],
    mask: Mask,
    weight: NDArray[Any],
    center_weight: NDArray[Any] | None,
    bias: NDArray[Any] | None,
    *,
    stride: Sequence[int],
    padding: Pairs,
    dilation: Sequence[int],
    groups: int = 1,
    reduction: str = "mean",
) -> NDArray[Any]:
    """Evaluate Eq. 3 of the paper in loops, any dimension: (B, C, *in), (C', C / groups, R) -> (B, C', *out)."""
    spread: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation}
    pooled = brute_force_pool(x, mask, weight.shape[-1], reduction=reduction, **spread)
    center = np.zeros(mask.shape, dtype=np.int64)
    center[tuple((extent - 1) // 2 for extent in mask.shape)] = 1
    centers = brute_force_pool(x, center, 1, **spread)[:, :, 0]
    y = np.zeros((x.shape[0], weight.shape[0], *pooled.shape[3:]), dtype=x.dtype)
    inputs, outputs = x.shape[1] // groups, weight.shape[0] // groups
    for out, channel in itertools.product(range(weight.shape[0]), range(inputs)):
        source = out // outputs * inputs + channel
        for region in range(weight.shape[-1]):
            y[:, out] += weight[out, channel, region] * pooled[:, source, region]
        if center_weight is not None:
            y[:, out] += center_weight[out, channel] * centers[:, source]
    return y if bias is None else y + bias.reshape(-1, *(1,) * mask.ndim)


def _position(
    site: Sequence[int], cell: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> tuple[Any, ...]:
    steps = zip(site, stride, cell, dilation, strict=True)
    return (slice(None), slice(None), *(o * s + c * d for o, s, c, d in steps))


def _reduce(values: list[NDArray[Any]], reduction: str) -> NDArray[Any]:
    if reduction == "max":
        return np.maximum.reduce(values)
    total: NDArray[Any] = np.zeros_like(values[0])
    for value in values:
        total = total + value
    return total / len(values) if reduction == "mean" else total

"""The CPU engine: sums over bags of table rows, tile by tile, each tile going straight into one matrix product.

``torch.embedding_bag`` is the vectorised bag sum. A tile's pooled matrix stays in cache and the whole pooled map never
exists. The input gradient is the same engine on the reflected stencil; the weight gradient recomputes the tiles.
Any number of dimensions. Half precision is summed in float32.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from lpsc_nd.pooling.mixing import Mixing
from lpsc_nd.pooling.plan import Step, plan
from lpsc_nd.pooling.table import compute_dtype, memory_format, padded_table
from lpsc_nd.pooling.tiles import Grid, Tile
from lpsc_nd.pooling.window import Window

TILE_ELEMENTS = 2**19
"""Elements of a tile's pooled matrix: two MiB in float32, where cache misses and the calls per tile balance."""

TILE_SITES = (64, 2048)
"""Fewest and most sites of a tile, whatever their elements."""


def conv(x: Tensor, weight: Tensor, bias: Tensor | None, window: Window, groups: int) -> Tensor:
    """Pool and mix: (B, C, *in), (C', C / groups, bags) in the compute type -> (B, C', *out) in the type of ``x``."""
    table = padded_table(x, window.padding, (1,) * window.ndim, weight.dtype)
    y = empty_sites(x, weight.shape[0], window.output_size(x.shape[2:]))
    _conv_table(table, weight, bias, window, groups, y)
    return y


def input_grad(gy: Tensor, weight: Tensor, window: Window, groups: int, input_size: list[int]) -> Tensor:
    """Carry an output gradient back: (B, C', *out), (C', C / groups, bags) -> (B, C, *in)."""
    adjoint = window.adjoint(input_size)
    table = padded_table(gy, adjoint.padding, window.stride, weight.dtype)
    grouped = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)  # (C, C' / groups, bags)
    gx = empty_sites(gy, grouped.shape[0], tuple(input_size))
    _conv_table(table, grouped, None, adjoint, groups, gx)
    return gx


def weight_grad(x: Tensor, gy: Tensor, window: Window, groups: int) -> Tensor:
    """Return sum over sites of gy times the pooled input: (C', C / groups, bags), in the compute type."""
    dtype = compute_dtype(x.dtype)
    table = padded_table(x, window.padding, (1,) * window.ndim, dtype)
    mixing = Mixing(gy.shape[1], x.shape[1], window.num_bags, groups)
    total = mixing.zeros(dtype, x.device)
    sites = gy.flatten(2).transpose(1, 2)  # (B, sites, C')
    for tile, pooled in _pooled_tiles(table, window, gy.shape[2:]):
        mixing.accumulate(total, pooled, sites[tile.images, tile.sites].flatten(0, 1).to(dtype))
    return mixing.to_weight(total)


def pool(x: Tensor, window: Window) -> Tensor:
    """Sum every bag at every output site: (B, C, *in) -> (B, C, bags, *out)."""
    table = padded_table(x, window.padding, (1,) * window.ndim, x.dtype)
    sites = window.output_size(x.shape[2:])
    pooled = x.new_empty((*x.shape[:2], window.num_bags, math.prod(sites)))
    for tile, block in _pooled_tiles(table, window, sites):
        images = block.unflatten(0, (_length(tile.images), -1))  # (b, s, bags, C)
        pooled[tile.images, :, :, tile.sites] = images.permute(0, 3, 2, 1)
    return pooled.unflatten(-1, sites)


def pool_adjoint(z: Tensor, window: Window, input_size: list[int]) -> Tensor:
    """Add every bag's value to each of its cells: (B, C, bags, *out) -> (B, C, *in)."""
    adjoint = window.adjoint(input_size)
    table = padded_table(z.flatten(1, 2), adjoint.padding, window.stride, z.dtype)  # (B, *padded, C * bags)
    padded = tuple(table.shape[1:-1])
    rows = table.unflatten(-1, (z.shape[1], -1)).transpose(-1, -2).reshape(-1, z.shape[1])  # (cells * bags, C)
    grid = Grid(z.shape[0], tuple(input_size), padded, adjoint.stride)
    x = z.new_empty((*z.shape[:2], math.prod(input_size)))
    for step in plan(adjoint, grid, _target(z.shape[1]), str(z.device), merged=True):
        block = _sum_bags(rows, step, step.tile.first_row * adjoint.num_bags)
        images = block.unflatten(0, (_length(step.tile.images), -1))  # (b, s, C)
        x[step.tile.images, :, step.tile.sites] = images.transpose(1, 2)
    return x.unflatten(-1, tuple(input_size))


def empty_sites(like: Tensor, channels: int, size: tuple[int, ...]) -> Tensor:
    """Allocate (B, channels, *size) in the type and the memory format of ``like``."""
    shape = (like.shape[0], channels, *size)
    if memory_format(like) == torch.contiguous_format:
        return like.new_empty(shape)
    return like.new_empty((shape[0], *size, channels)).movedim(-1, 1)


def _conv_table(table: Tensor, weight: Tensor, bias: Tensor | None, window: Window, groups: int, y: Tensor) -> None:
    """Fill ``y`` (B, C', *out) from a padded table."""
    mixing = Mixing(weight.shape[0], table.shape[-1], window.num_bags, groups)
    matrix = mixing.to_matrix(weight)
    sites = y.flatten(2).transpose(1, 2) if y.is_contiguous() else y.movedim(1, -1).flatten(1, -2)  # (B, sites, C')
    for tile, pooled in _pooled_tiles(table, window, y.shape[2:]):
        mixing.store(sites[tile.images, tile.sites], pooled, matrix, bias)


def _pooled_tiles(table: Tensor, window: Window, sites: tuple[int, ...]) -> Iterator[tuple[Tile, Tensor]]:
    """Yield each tile with its pooled matrix (sites, bags, C)."""
    padded, channels = tuple(table.shape[1:-1]), table.shape[-1]
    grid = Grid(table.shape[0], tuple(sites), padded, window.stride)
    if 0 in (grid.batch, *grid.sites, window.num_bags, channels):
        return
    rows = table.view(-1, channels)
    for step in plan(window, grid, _target(window.num_bags * channels), str(table.device)):
        yield step.tile, _sum_bags(rows, step, step.tile.first_row).view(-1, window.num_bags, channels)


def _target(elements_per_site: int) -> int:
    fewest, most = TILE_SITES
    return min(most, max(fewest, TILE_ELEMENTS // elements_per_site))


def _sum_bags(rows: Tensor, step: Step, first_row: int) -> Tensor:
    return torch.embedding_bag(rows[first_row:], step.indices, step.offsets, mode=0, include_last_offset=True)[0]


def _length(part: slice) -> int:
    return int(part.stop - part.start)

"""The cross convolution: conventional and log-polar filters side by side, in one, two and three dimensions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any, cast

import torch
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.functional import check_groups
from lpsc_nd.layers.conv_nd import LPSConvNd
from lpsc_nd.layers.dense_twin import CONV_CLASSES, Conv
from lpsc_nd.layers.options import choose_window
from lpsc_nd.pooling.costs import joins
from lpsc_nd.pooling.expand import dense
from lpsc_nd.pooling.inputs import check_rank
from lpsc_nd.pooling.padding import PADDING_MODES, PaddingMode, padding_amounts
from lpsc_nd.pooling.padding import pad as pad_with_mode
from lpsc_nd.pooling.plain import has_symbols, is_traced
from lpsc_nd.pooling.shapes import Shapes, derivatives_of
from lpsc_nd.pooling.window import Padding


class CrossConvNd(nn.Module):
    r"""Conventional filters beside log-polar ones on the same input (LPSC-CC, Section 3.3 of the paper).

        y = concatenate(conv(x), lpsc(x)) over the channels, ``ratio`` percent of which are log-polar

    Both parts take the same stride, dilation, groups and padding mode, and their windows have the same centre cell:
    the conventional part pads each side by as much less as its window reaches less far. So both give the same output
    size for every input. Where that padding is negative, the conventional part leaves out the border of the input;
    with ``ratio`` 0 too, so that the output size never depends on the ratio.

    Where it is cheaper, both parts run as one dense convolution; the numbers are the same up to rounding.

    The number of log-polar filters is ``out_channels * ratio / 100``, rounded to the nearest multiple of ``groups``,
    a half upwards; the rest is conventional. With groups, each part has the filters of all its groups in order.

    Args:
        ndim: number of spatial axes: 1, 2 or 3.
        in_channels: C.
        out_channels: C', of both parts together.
        kernel_size: log-polar window, per axis or one for all; it may be left out where ``radius`` is given.
        stride, padding, dilation, groups, bias, padding_mode, device, dtype: as in nn.ConvNd; the padding is that of
            the log-polar window.
        conv_kernel_size: window of the conventional filters, per axis or one for all.
        ratio: percentage of log-polar filters, from 0 to 100.
        conv_bias: whether the conventional filters have a bias; as ``bias`` by default.
        log_polar: keywords of :class:`LPSConvNd` for the log-polar filters: num_levels, num_directions, growth,
            eccentricity, angle, spacing, radius, convention, center, reduction, partition, engine.

    Shape:
        (B, C, \*size) or (C, \*size) -> (B, C', \*out) or (C', \*out), sizes as nn.ConvNd gives them.

    Attributes:
        conv: the nn.ConvNd, or None for a ratio of 100; its padding is 0 where it is given a padded or cropped input.
        lpsc: the :class:`LPSConvNd`, or None for a ratio of 0.

    Raises:
        ValueError, TypeError: an argument out of its range or of another type; a ratio strictly between 0 and 100
            that leaves one part without filters.
        RuntimeError: an input whose rank, channels, type, device or size does not fit, in nn.Conv's words.

    >>> layer = CrossConvNd(2, 3, 16, 9, stride=2, padding=4, ratio=25)
    >>> layer(torch.zeros(1, 3, 32, 32)).shape, layer.conv.out_channels, layer.lpsc.out_channels
    (torch.Size([1, 16, 16, 16]), 12, 4)
    """

    conv: Conv | None
    lpsc: LPSConvNd | None

    def __init__(
        self,
        ndim: int,
        in_channels: int,
        out_channels: int,
        kernel_size: int | Sequence[int] | None = None,
        stride: int | Sequence[int] = 1,
        padding: str | int | Sequence[int] = 0,
        dilation: int | Sequence[int] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        *,
        conv_kernel_size: int | Sequence[int] = 3,
        ratio: float = 50,
        conv_bias: bool | None = None,
        **log_polar: Any,
    ) -> None:
        super().__init__()
        if log_polar.get("causal"):
            raise ValueError("causal must be False, got True: the conventional filters look both ways")
        self.ndim = _checks.integer("ndim", ndim, minimum=1)
        if self.ndim not in CONV_CLASSES:
            raise ValueError(f"ndim must be one of {sorted(CONV_CLASSES)}, as nn.ConvNd has, got {ndim}")
        self.in_channels = _checks.integer("in_channels", in_channels, minimum=1)
        self.out_channels = _checks.integer("out_channels", out_channels, minimum=1)
        self.groups = check_groups(groups, in_channels=self.in_channels, out_channels=self.out_channels)
        self.kernel_size = choose_window(self.ndim, kernel_size, log_polar.get("radius"), log_polar.get("spacing"))
        self.conv_kernel_size = _checks.integers("conv_kernel_size", conv_kernel_size, self.ndim, minimum=1)
        self.stride = _checks.integers("stride", stride, self.ndim, minimum=1)
        self.dilation = _checks.integers("dilation", dilation, self.ndim, minimum=1)
        amounts = padding_amounts(padding, self.kernel_size, self.stride, self.dilation)
        self.conv_padding = aligned_padding(amounts, self.kernel_size, self.conv_kernel_size, self.dilation)
        _checks.choice("padding_mode", padding_mode, PADDING_MODES)
        self.padding_mode: PaddingMode = padding_mode
        self.ratio = _checks.number("ratio", ratio, minimum=0.0)
        filters = log_polar_filters(self.out_channels, self.ratio, self.groups)
        self.conv = None
        self.lpsc = None
        if filters < self.out_channels:
            self.conv = self._make_conv(filters, bias if conv_bias is None else conv_bias, device, dtype)
        if filters:
            self.lpsc = LPSConvNd(
                self.ndim, self.in_channels, filters, self.kernel_size, self.stride, padding, self.dilation,
                self.groups, bias, padding_mode, device, dtype, **log_polar,
            )  # fmt: skip

    def _make_conv(
        self, filters: int, bias: bool, device: torch.device | str | None, dtype: torch.dtype | None
    ) -> Conv:
        padding = tuple(before for before, _ in self.conv_padding) if self._conv_pads else 0
        build: Callable[..., Conv] = CONV_CLASSES[self.ndim]
        return build(
            self.in_channels, self.out_channels - filters, self.conv_kernel_size, self.stride, padding, self.dilation,
            self.groups, bias, self.padding_mode, device, dtype,
        )  # fmt: skip

    @property
    def _conv_pads(self) -> bool:
        """Whether nn.ConvNd can do the padding: as much before as after, and not negative."""
        return all(before == after >= 0 for before, after in self.conv_padding)

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (B, C, *size) or (C, *size)."""
        check_rank(input, self.ndim)
        if self._joins(input):
            return self._join(input)
        parts = [] if self.lpsc is None else [self.lpsc(input)]
        if self.conv is not None:
            x = input if self._conv_pads else pad_or_crop(input, self.conv_padding, self.padding_mode)
            parts.insert(0, self.conv(x))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=-self.ndim - 1)

    def _joins(self, x: Tensor) -> bool:
        """Tell whether one dense convolution for both parts is possible, and cheaper than the two."""
        conv, lpsc = self.conv, self.lpsc
        if conv is None or not isinstance(lpsc, LPSConvNd) or is_traced() or has_symbols(x.shape):
            return False
        watched = any(part._forward_hooks or part._forward_pre_hooks for part in (conv, lpsc))
        plain = self._are_plain(conv, lpsc) and lpsc.engine == "auto" and lpsc.reduction != "max"
        if watched or not plain or any(before < 0 or after < 0 for before, after in self._margins):
            return False
        if x.shape[-self.ndim - 1] != self.in_channels or x.numel() == 0:
            return False
        batch = x.shape[0] if x.ndim == self.ndim + 2 else 1
        size = tuple(x.shape[-self.ndim :])
        shapes = Shapes(batch, self.in_channels, self.out_channels, 1, size, derivatives_of(x))
        return joins(lpsc.window, self.conv_kernel_size, shapes, lpsc.out_channels)

    def _are_plain(self, conv: Conv, lpsc: LPSConvNd) -> bool:
        """Tell whether both parts have one group and zeros around, and the same sites: they may have been replaced."""
        margins = zip(self.conv_padding, self._margins, self.dilation, strict=True)
        padding = tuple((a + c * step, b + d * step) for (a, b), (c, d), step in margins)
        own = tuple(before for before, _ in self.conv_padding) if self._conv_pads else (0,) * self.ndim
        steps = (self.stride, self.dilation, 1, "zeros")
        return (
            all((part.stride, part.dilation, part.groups, part.padding_mode) == steps for part in (conv, lpsc))
            and (lpsc.kernel_size, lpsc.window.padding) == (self.kernel_size, padding)
            and (conv.kernel_size, conv.padding) == (self.conv_kernel_size, own)
        )

    def _join(self, x: Tensor) -> Tensor:
        """Convolve with the kernels of both parts in one, the conventional ones with zeros around."""
        conv, lpsc = cast(Conv, self.conv), cast(LPSConvNd, self.lpsc)
        around = [count for pair in reversed(self._margins) for count in pair]
        kernel = torch.cat([nn.functional.pad(conv.weight, around), lpsc.dense_weight()])
        biases = [part.weight.new_zeros(part.out_channels) if part.bias is None else part.bias for part in (conv, lpsc)]
        bias = None if conv.bias is None and lpsc.bias is None else torch.cat(biases)
        return dense(x, kernel, bias, lpsc.window, 1)

    @property
    def _margins(self) -> Padding:
        """Cells by which the log-polar window reaches further than the conventional one, on each side."""
        sizes = zip(self.kernel_size, self.conv_kernel_size, strict=True)
        return tuple(((k - 1) // 2 - (j - 1) // 2, k // 2 - j // 2) for k, j in sizes)

    def extra_repr(self) -> str:
        """Write what the two parts do not show themselves."""
        return (
            f"{self.in_channels}, {self.out_channels}, ratio={self.ratio:g}, conv_padding={self.conv_padding}, "
            f"padding_mode={self.padding_mode!r}"
        )


def log_polar_filters(out_channels: int, ratio: float, groups: int = 1) -> int:
    """Return how many of the filters are log-polar: ``ratio`` percent, to the nearest multiple of ``groups``.

    Raises:
        ValueError: the ratio is above 100, or strictly between 0 and 100 and leaves one part without filters.

    >>> log_polar_filters(64, 25), log_polar_filters(6, 50, groups=2)
    (16, 4)
    """
    if ratio > 100:
        raise ValueError(f"ratio must be a percentage from 0 to 100, got {ratio:g}")
    sets = out_channels // groups
    count = int(Fraction(ratio) * sets / 100 + Fraction(1, 2))
    if 0 < ratio < 100 and count in (0, sets):
        raise ValueError(
            f"ratio must leave both parts filters, got {ratio:g} % of {out_channels} filters in {groups} groups, "
            f"which is {count * groups}; give {100 if count else 0} for one part alone, or more filters"
        )
    return count * groups


def aligned_padding(
    amounts: Padding, window: tuple[int, ...], other: tuple[int, ...], dilation: tuple[int, ...]
) -> Padding:
    """Return the padding with which another window, on the same centre cell, gives the same output sites.

    >>> aligned_padding(((4, 4),), (9,), (3,), (1,)), aligned_padding(((0, 0),), (9,), (3,), (1,))
    (((1, 1),), ((-3, -3),))
    """
    aligned = []
    for (before, after), k, j, step in zip(amounts, window, other, dilation, strict=True):
        start, end = (k - 1) // 2 - (j - 1) // 2, k // 2 - j // 2
        aligned.append((before - step * start, after - step * end))
    return tuple(aligned)


def pad_or_crop(x: Tensor, amounts: Padding, mode: PaddingMode) -> Tensor:
    """Pad the trailing axes, or cut cells off where the amount is negative."""
    pads = tuple((max(before, 0), max(after, 0)) for before, after in amounts)
    if any(map(any, pads)):
        if mode == "zeros":
            x = nn.functional.pad(x, [count for pair in reversed(pads) for count in pair])
        else:
            lead = x.ndim == len(amounts) + 1
            x = pad_with_mode(x.unsqueeze(0), pads, mode).squeeze(0) if lead else pad_with_mode(x, pads, mode)
    for axis, (before, after) in enumerate(amounts, start=-len(amounts)):
        start, end = max(-before, 0), max(-after, 0)
        if start or end:
            x = x.narrow(axis, start, max(x.shape[axis] - start - end, 0))
    return x

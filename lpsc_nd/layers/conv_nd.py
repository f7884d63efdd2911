"""The log-polar space convolution of any number of dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.functional import check_groups, check_modes, make_window
from lpsc_nd.geometry import Convention, Partition, Reduction, Stencil
from lpsc_nd.geometry._types import IntArray
from lpsc_nd.layers.dense_twin import Conv, dense_conv, dense_weight
from lpsc_nd.layers.explanation import Explanation, explain
from lpsc_nd.layers.initial import draw_parameters, white_gain
from lpsc_nd.layers.options import (
    LogPolarOptions,
    check_causal,
    choose_partition,
    choose_window,
    warn_of_empty_regions,
)
from lpsc_nd.layers.own_parameters import own_parameters
from lpsc_nd.layers.remembering import RememberingModule
from lpsc_nd.pooling import execute
from lpsc_nd.pooling.dispatch import Engine, check_engine
from lpsc_nd.pooling.padding import PaddingMode
from lpsc_nd.pooling.shapes import Derivatives


class LPSConvNd(RememberingModule):
    r"""Convolution with one weight per log-polar region, in any number of dimensions (Eq. 3 of the paper).

        y[s] = W0 x[s] + sum_r W_r * mean(x over region r around s) + b

    It takes nn.ConvNd's arguments in nn.ConvNd's places, so it drops in for one, and is exactly the dense convolution
    whose kernel is ``W_r / N_r`` on the cells of region r (plus W0 at the centre): :meth:`to_conv` returns that layer.

    Parameters are drawn uniformly with nn.Conv's law, bound 1 / sqrt(fan), the fan being ``C / groups * S`` with
    S = sum_r 1 / N_r (+ 1 for the centre) for the mean, sum_r N_r (+ 1) for the sum and R (+ 1) for the maximum: white
    input of unit variance gives mean or sum outputs of variance 1/3 before the bias, which is nn.Conv's.

    Args:
        ndim: number of spatial axes.
        in_channels: C.
        out_channels: C'.
        kernel_size: window size, per axis or one for all; the centre is cell (k - 1) // 2. It may be left out where
            ``radius`` is given, and is then 2 * floor(radius / spacing) + 1 along each axis.
        stride, padding, dilation, groups, bias, padding_mode, device, dtype: as in nn.ConvNd. Dilation spreads the
            mask's cells; regions are decided before spreading.
        num_levels: distance levels.
        num_directions: see :class:`LogPolarPartition`; 2, 6, (2, 6), (2, 2, 6), ... by default.
        growth: ratio of successive level radii.
        eccentricity: height / width of the field, in 2-D.
        angle: radians by which the field and its directions are turned.
        spacing: physical size of a cell, per axis or one for all.
        radius: radius of the field in the unit of ``spacing``: a ball, whatever the cells' shape, which the window must
            hold. By default the field is the largest ellipsoid in the window.
        convention: "paper", "official" or "literal".
        center: whether the centre cell has its own weight.
        reduction: "mean", "sum" or "max" over a region. Padded zeros take part, and count in the mean.
        partition: any object with ``num_regions`` and ``region(offsets)``, instead of the log-polar keywords.
        causal: on a line alone: only cells before the centre have regions, one per level, so with padding "same" an
            output depends on the input up to its own position. The window stays symmetric.
        engine: "auto", or an engine by name for every call.

    Shape:
        (B, C, \*size) or (C, \*size) -> (B, C', \*out) or (C', \*out), sizes as nn.ConvNd gives them.

    Attributes:
        weight: (C', C / groups, R).
        center_weight: (C', C / groups), or None.
        bias: (C',), or None.

    Raises:
        ValueError, TypeError: an argument out of its range or of another type, at construction.
        RuntimeError: an input whose rank, channels, type, device or size does not fit, in nn.Conv's words.

    Warns:
        UserWarning: regions without a cell on this window; their weights get no gradient.

    >>> layer = LPSConvNd(2, 3, 8, 9, padding="same", num_levels=2, num_directions=6, growth=3.0)
    >>> layer(torch.zeros(1, 3, 32, 32)).shape, layer.weight.shape
    (torch.Size([1, 8, 32, 32]), torch.Size([8, 3, 12]))
    """

    center_weight: nn.Parameter | None
    bias: nn.Parameter | None

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
        num_levels: int = 2,
        num_directions: int | Sequence[int] | ArrayLike | None = None,
        growth: float = 2.0,
        eccentricity: float = 1.0,
        angle: float = 0.0,
        spacing: float | Sequence[float] | None = None,
        radius: float | None = None,
        convention: Convention = "paper",
        center: bool = True,
        reduction: Reduction = "mean",
        partition: Partition | None = None,
        causal: bool = False,
        engine: Engine = "auto",
    ) -> None:
        super().__init__()
        self.ndim = _checks.integer("ndim", ndim, minimum=1)
        self.in_channels = _checks.integer("in_channels", in_channels, minimum=1)
        self.out_channels = _checks.integer("out_channels", out_channels, minimum=1)
        self.groups = check_groups(groups, in_channels=self.in_channels, out_channels=self.out_channels)
        size = choose_window(self.ndim, kernel_size, radius, spacing)
        check_modes(padding_mode, reduction, engine)
        self.causal = check_causal(causal, padding_mode)
        options = LogPolarOptions(
            num_levels, num_directions, growth, eccentricity, angle, convention, radius, self.causal
        )
        self.partition = choose_partition(options, partition, size, spacing)
        self.stencil = Stencil.build(self.partition, size, spacing=spacing)
        self.window = make_window(self.stencil, stride, padding, dilation, center=center)
        check_engine(engine, self.window, reduction)
        self._padding = padding if isinstance(padding, str) else tuple(before for before, _ in self.window.padding)
        self.spacing = spacing
        self.padding_mode: PaddingMode = padding_mode
        self.reduction: Reduction = reduction
        self.engine: Engine = engine
        warn_of_empty_regions(self.stencil)
        self._make_parameters(center, bias, device, dtype)

    def _make_parameters(
        self, center: bool, bias: bool, device: torch.device | str | None, dtype: torch.dtype | None
    ) -> None:
        shape = (self.out_channels, self.in_channels // self.groups, self.stencil.num_regions)
        self.weight = nn.Parameter(torch.empty(shape, device=device, dtype=dtype))
        self.register_parameter(
            "center_weight", nn.Parameter(torch.empty(shape[:2], device=device, dtype=dtype)) if center else None
        )
        self.register_parameter(
            "bias", nn.Parameter(torch.empty(self.out_channels, device=device, dtype=dtype)) if bias else None
        )
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all parameters anew, uniformly within 1 / sqrt(fan); the class says what the fan is."""
        gain = white_gain(self.stencil, self.reduction, center=self.center_weight is not None)
        draw_parameters(self.parameters(recurse=False), self.in_channels // self.groups, gain)

    @property
    def kernel_size(self) -> tuple[int, ...]:
        """Cells of the window, per axis."""
        return self.stencil.kernel_size

    @property
    def padding(self) -> str | tuple[int, ...]:
        """The word that was given, or the cells that are added before and after, per axis."""
        return self._padding

    @property
    def stride(self) -> tuple[int, ...]:
        """Steps of the output sites, per axis."""
        return self.window.stride

    @property
    def dilation(self) -> tuple[int, ...]:
        """Distance of neighbouring cells, per axis."""
        return self.window.dilation

    @property
    def mask(self) -> IntArray:
        """Region of each cell of the window, int64 array of shape ``kernel_size``; a fresh copy."""
        return self.stencil.mask.copy()

    def forward(self, input: Tensor) -> Tensor:
        """Convolve (B, C, *size) or (C, *size)."""
        settings = (self.window, self.groups, self.padding_mode, self.reduction, self.engine)
        if not torch.compiler.is_compiling() and (parameters := own_parameters(self)) is not None:
            output = self._last_call.answer(input, parameters, settings)
            if output is not None:
                return output
        return execute.conv(input, self.weight, self.center_weight, self.bias, *settings, self._last_call)

    def dense_weight(self) -> Tensor:
        """Return the equal dense kernel, (C', C / groups, *kernel_size), differentiable.

        Raises:
            ValueError: the reduction is "max", which no kernel expresses.
        """
        return dense_weight(self.weight, self.center_weight, self.window, self.reduction)

    def to_conv(self) -> Conv:
        """Return the equal nn.ConvNd, with parameters of its own.

        Raises:
            ValueError: PyTorch has no convolution of this many dimensions, or the reduction is "max".
        """
        kernel = self.dense_weight()
        conv = dense_conv(kernel, self.bias, self.window, self.padding, self.groups, self.padding_mode)
        return conv.train(self.training)

    def explain(self, input_shape: Sequence[int], derivatives: Derivatives = "all") -> Explanation:
        """Say which engine would run an input of this shape, at what predicted cost, and why.

        Args:
            input_shape: (B, C, *size) or (C, *size).
            derivatives: for what there will be gradients: "none" in inference, "parameters" in a network's first layer,
                "all" between layers. It matters for up to 8 input channels only.

        Raises:
            ValueError: a shape of another rank, with other channels, or smaller than the window; unknown derivatives.
        """
        of_layer = (self.window, self.in_channels, self.out_channels, self.groups, self.reduction)
        return explain(*of_layer, self.engine, self.weight.device.type, input_shape, derivatives)

    def extra_repr(self) -> str:
        """Write the arguments that differ from nn.ConvNd's defaults, and the partition."""
        parts = [f"{self.in_channels}, {self.out_channels}", f"kernel_size={self.kernel_size}", f"stride={self.stride}"]
        optional: dict[str, tuple[Any, Any]] = {
            "padding": (self.padding, (0,) * self.ndim),
            "dilation": (self.dilation, (1,) * self.ndim),
            "groups": (self.groups, 1),
            "bias": (self.bias is not None, True),
            "padding_mode": (self.padding_mode, "zeros"),
            "spacing": (self.spacing, None),
            "center": (self.center_weight is not None, True),
            "causal": (self.causal, False),
            "reduction": (self.reduction, "mean"),
            "engine": (self.engine, "auto"),
        }
        parts += [f"{name}={value!r}" for name, (value, default) in optional.items() if value != default]
        return ", ".join([*parts, f"partition={self.partition!r}"])

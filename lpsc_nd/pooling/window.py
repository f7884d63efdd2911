"""How a stencil slides over a grid: stride, dilation and zero padding, and the window of the adjoint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from lpsc_nd.geometry import Stencil

Padding = tuple[tuple[int, int], ...]
"""Cells added before and after each axis; a negative count cuts cells off."""

WindowArgs = tuple[str, bool, list[int], list[int], list[int]]
"""A window as operator arguments: stencil token, center, stride, padding (before, after, before, ...), dilation."""


@dataclass(frozen=True)
class Window:
    """A stencil with the arguments of nn.ConvNd that say where it is laid.

    A *bag* is the set of cells that are summed for one weight: one bag per region, and with ``center`` one more that
    holds the centre cell alone.

    Args:
        stencil: the regions.
        center: whether the centre cell is the last bag.
        stride: steps of the output sites, per axis.
        dilation: distance of neighbouring cells, per axis.
        padding: zeros before and after, per axis.
    """

    stencil: Stencil
    center: bool
    stride: tuple[int, ...]
    dilation: tuple[int, ...]
    padding: Padding

    @property
    def ndim(self) -> int:
        """Number of spatial axes."""
        return self.stencil.ndim

    @property
    def num_bags(self) -> int:
        """Regions, and the centre if it counts."""
        return self.stencil.num_regions + self.center

    @property
    def pads_evenly(self) -> bool:
        """Whether as many zeros are added before as after every axis, and nothing is cut off."""
        return all(before == after >= 0 for before, after in self.padding)

    @property
    def extent(self) -> tuple[int, ...]:
        """Cells that the dilated window spans, per axis."""
        return tuple(d * (k - 1) + 1 for k, d in zip(self.stencil.kernel_size, self.dilation, strict=True))

    def padded_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return the input size with its padding."""
        return tuple(n + before + after for n, (before, after) in zip(size, self.padding, strict=True))

    def output_size(self, size: Sequence[int]) -> tuple[int, ...]:
        """Return ``floor((padded - extent) / stride) + 1`` per axis."""
        padded = self.padded_size(size)
        return tuple((n - e) // s + 1 for n, e, s in zip(padded, self.extent, self.stride, strict=True))

    def adjoint(self, input_size: Sequence[int]) -> Window:
        """Return the window that carries gradients of the output back to an input of ``input_size``.

        It pools the output gradient, with ``stride - 1`` zeros between its sites, through the reflected stencil.
        """
        return _adjoint(self, tuple(input_size))

    @property
    def args(self) -> WindowArgs:
        """The window as plain arguments of an operator."""
        padding = [count for pair in self.padding for count in pair]
        return self.stencil.token, self.center, list(self.stride), padding, list(self.dilation)

    @classmethod
    def from_args(
        cls, stencil: str, center: bool, stride: Sequence[int], padding: Sequence[int], dilation: Sequence[int]
    ) -> Window:
        """Take :attr:`args` back."""
        pairs = tuple(zip(padding[::2], padding[1::2], strict=True))
        return cls(Stencil.from_token(stencil), center, tuple(stride), tuple(dilation), pairs)


@lru_cache(maxsize=256)
def _adjoint(window: Window, input_size: tuple[int, ...]) -> Window:
    sites = window.output_size(input_size)
    padding = []
    for axis, (before, _) in enumerate(window.padding):
        spread = (sites[axis] - 1) * window.stride[axis] + 1
        start = window.extent[axis] - 1 - before
        padding.append((start, input_size[axis] + window.extent[axis] - 1 - start - spread))
    ones = (1,) * window.ndim
    return Window(window.stencil.reflect(), window.center, ones, window.dilation, tuple(padding))

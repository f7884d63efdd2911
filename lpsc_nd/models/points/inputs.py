"""What a network sees of each point."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.points import PointPyramid

PointInput = Literal["ones", "coordinates"]
POINT_INPUTS: tuple[str, ...] = get_args(PointInput)


class PointInputs(nn.Module):
    """Joins given features with columns made from the points.

    "ones" is a constant 1, by which a convolution sees which of its regions have points: a network that gets nothing
    else does not change when a cloud is moved. "coordinates" are the positions at level 0 as they are, for clouds that
    are normalised to a common place and size. One coordinate alone, such as the height, is given as a feature.

    Args:
        in_features: columns of the given features; 0 if there are none.
        inputs: columns to add, any of "ones" and "coordinates".
        ndim: coordinates of a point.

    Shape:
        (S_0, in_features) or None -> (S_0, width).

    Attributes:
        width: columns in all.

    Raises:
        TypeError, ValueError: an unknown or repeated word, or no columns at all.
    """

    def __init__(self, in_features: int, inputs: Sequence[PointInput], ndim: int) -> None:
        super().__init__()
        self.in_features = _checks.integer("in_features", in_features, minimum=0)
        self.inputs = tuple(_checks.choice("inputs", word, POINT_INPUTS) for word in inputs)
        if len(set(self.inputs)) < len(self.inputs):
            raise ValueError(f"inputs must not repeat a word, got {self.inputs}")
        columns = {"ones": 1, "coordinates": ndim}
        self.width = self.in_features + sum(columns[word] for word in self.inputs)
        if self.width == 0:
            raise ValueError("inputs must name a column where in_features is 0: a network needs values to convolve")

    def forward(self, x: Tensor | None, pyramid: PointPyramid) -> Tensor:
        """Return all columns, of the type of ``x``, without it of the default type."""
        points = pyramid.positions[0]
        given = points.new_empty((len(points), 0), dtype=torch.get_default_dtype()) if x is None else x
        if not given.is_floating_point():
            raise TypeError(f"x must be a floating-point tensor, got {given.dtype}")
        if given.shape != (len(points), self.in_features):
            raise ValueError(
                f"x must have shape ({len(points)}, {self.in_features}), points of level 0 and in_features, "
                f"got {None if x is None else tuple(x.shape)}"
            )
        made = {"ones": lambda: given.new_ones(len(points), 1), "coordinates": lambda: points.to(given.dtype)}
        return torch.cat([given, *(made[word]() for word in self.inputs)], dim=1)

    def extra_repr(self) -> str:
        """Write the arguments."""
        return f"in_features={self.in_features}, inputs={self.inputs}"

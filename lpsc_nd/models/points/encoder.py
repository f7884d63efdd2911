"""The part that all networks on points share: from the finest level to the coarsest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.points.blocks import ConvPath, PointDownBlock, PointStage
from lpsc_nd.models.points.builder import PointConvBuilder, log_polar_convs
from lpsc_nd.models.points.inputs import PointInput, PointInputs
from lpsc_nd.points import PointPyramid, PyramidBuilder


class PointEncoder(nn.Module):
    """A residual network over the levels of a pyramid, whose convolution is passed in.

    One convolution as the stem, then residual blocks at every level, and between levels a convolution around the
    points of the coarser, with the mean as its shortcut.

    Args:
        in_features: columns of the given features.
        pyramid: what the pyramids are built with; its depth and regions count, its sizes are free to change.
        widths: channels at each level.
        blocks: residual blocks at each level.
        bottleneck: 1 for two full convolutions in a block, n for one on 1 / n of the channels.
        inputs: columns to add, see :class:`PointInputs`.
        conv: builder of the convolutions; log-polar ones by default.

    Shape:
        (S_0, in_features) or None, and a pyramid -> a list of (S_l, widths[l]).

    Raises:
        TypeError, ValueError: an argument of another type or out of its range; not as many widths as levels.
    """

    def __init__(
        self,
        in_features: int,
        pyramid: PyramidBuilder,
        widths: Sequence[int],
        blocks: int,
        bottleneck: int,
        inputs: Sequence[PointInput],
        conv: PointConvBuilder | None,
    ) -> None:
        super().__init__()
        if not isinstance(pyramid, PyramidBuilder):
            raise TypeError(f"pyramid must be a PyramidBuilder, got {type(pyramid).__name__}")
        self.widths = _checks.integers("widths", tuple(widths), pyramid.depth, minimum=1)
        count = _checks.integer("blocks", blocks, minimum=0)
        ratio = _checks.integer("bottleneck", bottleneck, minimum=1)
        build = log_polar_convs() if conv is None else conv
        self.inputs = PointInputs(in_features, inputs, pyramid.ndim)
        self.stem = ConvPath(build, self.inputs.width, self.widths[0], pyramid.partition(0))
        self.stages = nn.ModuleList(
            PointStage(build, width, pyramid.partition(level), count, ratio) for level, width in enumerate(self.widths)
        )
        self.down = nn.ModuleList(
            PointDownBlock(build, fine, coarse, pyramid.partition(level), ratio)
            for level, (fine, coarse) in enumerate(pairwise(self.widths))
        )

    def forward(self, x: Tensor | None, pyramid: PointPyramid) -> list[Tensor]:
        """Return the values at every level."""
        self._check(pyramid)
        y = self.stem(self.inputs(x, pyramid), pyramid.neighborhoods[0]).relu()
        levels = [self.stages[0](y, pyramid.neighborhoods[0])]
        for level, down in enumerate(self.down):
            y = down(levels[-1], pyramid, level)
            levels.append(self.stages[level + 1](y, pyramid.neighborhoods[level + 1]))
        return levels

    def _check(self, pyramid: PointPyramid) -> None:
        if not isinstance(pyramid, PointPyramid):
            raise TypeError(f"pyramid must be a PointPyramid, got {type(pyramid).__name__}")
        if pyramid.depth != len(self.widths):
            raise ValueError(f"pyramid must have {len(self.widths)} levels, as widths has entries, got {pyramid.depth}")

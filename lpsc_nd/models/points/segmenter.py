"""Segmentation of point clouds: scores for every point."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.points.blocks import PointStage
from lpsc_nd.models.points.builder import PointConvBuilder, PointNorm, log_polar_convs
from lpsc_nd.models.points.classifier import check_dropout
from lpsc_nd.models.points.encoder import PointEncoder
from lpsc_nd.models.points.inputs import PointInput
from lpsc_nd.points import PointPyramid, PyramidBuilder


class PointSegmenter(nn.Module):
    """A residual encoder and decoder on point clouds, with skip connections at every level.

    The decoder takes each point's values from the nearest point of the coarser level, joins them with the encoder's by
    a linear layer, and goes on with residual blocks. Scores belong to the points of level 0;
    ``pyramid.spread(scores)`` gives them at the points that the pyramid was made from.

    Args:
        in_features: columns of the given features, such as normals or colours; 0 if there are none.
        num_classes: number of scores of a point.
        pyramid: what the pyramids are built with; its depth and regions count, its sizes are free to change.
        widths: channels at each level.
        blocks: residual blocks at each level of the encoder.
        decoder_blocks: residual blocks at each level of the decoder.
        bottleneck: 1 for two full convolutions in a block, n for one on 1 / n of the channels.
        inputs: columns to add to the features: "ones", "coordinates"; see :class:`PointInputs`.
        num_categories: kinds of clouds, if the kind of each is given, as in part segmentation; else 0.
        dropout: share of the channels left out before the scores in training.
        conv: builder of the convolutions, see :class:`PointConvBuilder`; log-polar ones without bias by default.

    Shape:
        Features (S_0, in_features) at level 0, or None, a pyramid of B clouds, and categories (B,) if there are any ->
        (S_0, num_classes).

    Raises:
        TypeError, ValueError: an argument of another type or out of its range; not as many widths as levels.

    >>> builder = PyramidBuilder(0.2, depth=2, subsample=False)
    >>> net = PointSegmenter(0, 5, builder, widths=(8, 16))
    >>> net(None, builder(torch.rand(100, 3))).shape
    torch.Size([100, 5])
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        pyramid: PyramidBuilder,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        decoder_blocks: int = 1,
        bottleneck: int = 4,
        inputs: Sequence[PointInput] = ("ones",),
        num_categories: int = 0,
        dropout: float = 0.0,
        conv: PointConvBuilder | None = None,
    ) -> None:
        super().__init__()
        classes = _checks.integer("num_classes", num_classes, minimum=1)
        count = _checks.integer("decoder_blocks", decoder_blocks, minimum=0)
        self.encoder = PointEncoder(in_features, pyramid, widths, blocks, bottleneck, inputs, conv)
        build, channels = log_polar_convs() if conv is None else conv, self.encoder.widths
        self.joins = nn.ModuleList(map(_Join, channels[1:], channels[:-1]))
        self.stages = nn.ModuleList(
            PointStage(build, width, pyramid.partition(level), count, bottleneck)
            for level, width in enumerate(channels[:-1])
        )
        self.head = _Head(channels[0], classes, num_categories, dropout)

    def forward(self, x: Tensor | None, pyramid: PointPyramid, categories: Tensor | None = None) -> Tensor:
        """Return the scores of the classes at every point of level 0, (S_0, num_classes)."""
        levels = self.encoder(x, pyramid)
        y = levels[-1]
        for level in reversed(range(len(self.joins))):
            y = self.joins[level](y, levels[level], pyramid.up[level])
            y = self.stages[level](y, pyramid.neighborhoods[level])
        scores: Tensor = self.head(y, pyramid, categories)
        return scores


class _Join(nn.Module):
    """``relu(norm(A coarse[up] + B fine))``: a linear layer on both, its coarse half at the fewer points."""

    def __init__(self, coarse: int, fine: int) -> None:
        super().__init__()
        self.coarse = nn.Linear(coarse, fine, bias=False)
        self.fine = nn.Linear(fine, fine, bias=False)
        self.norm = PointNorm(fine)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, coarse: Tensor, fine: Tensor, up: Tensor) -> Tensor:
        y: Tensor = self.relu(self.norm(self.coarse(coarse).index_select(0, up) + self.fine(fine)))
        return y


class _Head(nn.Module):
    """Two linear layers; the first also sees the cloud's category, as a one-hot vector would have it."""

    def __init__(self, channels: int, num_classes: int, num_categories: int, dropout: float) -> None:
        super().__init__()
        self.num_categories = _checks.integer("num_categories", num_categories, minimum=0)
        self.hidden = nn.Linear(channels, channels, bias=False)
        self.category = nn.Embedding(num_categories, channels) if num_categories else None
        self.norm = PointNorm(channels)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(check_dropout(dropout))
        self.scores = nn.Linear(channels, num_classes)

    def forward(self, y: Tensor, pyramid: PointPyramid, categories: Tensor | None) -> Tensor:
        y = self.hidden(y)
        if (self.category is None) != (categories is None):
            raise ValueError(
                f"categories must be given if and only if num_categories is not 0, it is {self.num_categories}; "
                f"got {'none' if categories is None else 'some'}"
            )
        if self.category is not None and categories is not None:
            _check_categories(categories, pyramid, self.num_categories)
            y = y + self.category(categories).index_select(0, pyramid.batches[0])
        scores: Tensor = self.scores(self.dropout(self.relu(self.norm(y))))
        return scores


def _check_categories(categories: Tensor, pyramid: PointPyramid, count: int) -> None:
    if categories.dtype != torch.int64 or categories.shape != (pyramid.num_clouds,):
        raise ValueError(
            f"categories must be int64, one for each of {pyramid.num_clouds} clouds, "
            f"got {categories.dtype} of shape {tuple(categories.shape)}"
        )
    if len(categories) and (int(categories.min()) < 0 or int(categories.max()) >= count):
        raise ValueError(f"categories must be in 0..{count - 1}, got {int(categories.min())}..{int(categories.max())}")

"""Classification of point clouds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor, nn

from lpsc_nd import _checks
from lpsc_nd.models.points.builder import PointConvBuilder
from lpsc_nd.models.points.encoder import PointEncoder
from lpsc_nd.models.points.inputs import PointInput
from lpsc_nd.points import PointPyramid, PyramidBuilder, global_pool

CloudPooling = Literal["mean", "max"]
_POOLINGS: tuple[str, ...] = get_args(CloudPooling)


class PointClassifier(nn.Module):
    """A residual network on point clouds: encoder, mean or maximum over each cloud's coarsest points, linear layer.

    Args:
        in_features: columns of the given features, such as normals or colours; 0 if there are none.
        num_classes: number of scores.
        pyramid: what the pyramids are built with; its depth and regions count, its sizes are free to change.
        widths: channels at each level.
        blocks: residual blocks at each level.
        bottleneck: 1 for two full convolutions in a block, n for one on 1 / n of the channels.
        inputs: columns to add to the features: "ones", "coordinates"; see :class:`PointInputs`.
        pooling: "mean" or "max" over a cloud. A cloud without points gives the scores of zeros.
        dropout: share of the pooled channels left out in training.
        conv: builder of the convolutions, see :class:`PointConvBuilder`; log-polar ones without bias by default.

    Shape:
        Features (S_0, in_features) at level 0, or None, and a pyramid of B clouds -> (B, num_classes).

    Raises:
        TypeError, ValueError: an argument of another type or out of its range; not as many widths as levels.

    >>> import torch
    >>> builder = PyramidBuilder(0.2, depth=2)
    >>> net = PointClassifier(0, 10, builder, widths=(8, 16))
    >>> net(None, builder(torch.rand(100, 3))).shape
    torch.Size([1, 10])
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        pyramid: PyramidBuilder,
        widths: Sequence[int] = (32, 64, 128),
        blocks: int = 1,
        bottleneck: int = 4,
        inputs: Sequence[PointInput] = ("ones",),
        pooling: CloudPooling = "mean",
        dropout: float = 0.0,
        conv: PointConvBuilder | None = None,
    ) -> None:
        super().__init__()
        classes = _checks.integer("num_classes", num_classes, minimum=1)
        _checks.choice("pooling", pooling, _POOLINGS)
        self.encoder = PointEncoder(in_features, pyramid, widths, blocks, bottleneck, inputs, conv)
        self.pooling: CloudPooling = pooling
        self.dropout = nn.Dropout(check_dropout(dropout))
        self.classifier = nn.Linear(self.encoder.widths[-1], classes)

    def features(self, x: Tensor | None, pyramid: PointPyramid) -> Tensor:
        """Return one vector for each cloud, (B, widths[-1])."""
        last = self.encoder(x, pyramid)[-1]
        return global_pool(last, pyramid.batches[-1], pyramid.num_clouds, self.pooling)

    def forward(self, x: Tensor | None, pyramid: PointPyramid) -> Tensor:
        """Return the scores of the classes, (B, num_classes)."""
        scores: Tensor = self.classifier(self.dropout(self.features(x, pyramid)))
        return scores


def check_dropout(share: float) -> float:
    """Return a share to drop, in 0 <= share < 1."""
    value = _checks.number("dropout", share, minimum=0.0)
    if value >= 1:
        raise ValueError(f"dropout must be less than 1, got {value:g}")
    return value

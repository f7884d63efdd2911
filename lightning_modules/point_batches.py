"""What the tasks on point clouds expect of a batch."""

from typing import Any, Protocol, cast

from torch import Tensor

from lpsc_nd.points import PointPyramid


class CloudBatch(Protocol):
    """A batch of clouds with their pyramid, such as ``datamodules.points.pyramids.PyramidBatch``.

    Attributes:
        pyramid: of all clouds.
        labels: class of every cloud, ``(B,)``.
        features: numbers at the points of level 0, ``(S_0, f)``, or None.
        parts: part label of every point that the pyramid was made from, ``(n,)``, or None.
    """

    @property
    def pyramid(self) -> PointPyramid:
        """The pyramid of all clouds."""

    @property
    def labels(self) -> Tensor:
        """Class of every cloud."""

    @property
    def features(self) -> Tensor | None:
        """Numbers at the points of level 0."""

    @property
    def parts(self) -> Tensor | None:
        """Part label of every point."""


def cloud_batch(batch: Any) -> CloudBatch:
    """Return ``batch`` if it has a pyramid.

    Raises:
        TypeError: it has none; the message says how to get one.
    """
    if not isinstance(getattr(batch, "pyramid", None), PointPyramid):
        raise TypeError(
            f"batch must have a pyramid, got {type(batch).__name__}; give the data module"
            " collate=datamodules.points.pyramids.PyramidCollate(builder)"
        )
    return cast(CloudBatch, batch)

"""Classification of point clouds."""

from typing import Any

from torch import Tensor

from lightning_modules.classification import ClassificationTask
from lightning_modules.point_batches import cloud_batch


class PointClassificationTask(ClassificationTask):
    """Trains a network to tell classes of point clouds apart: a :class:`ClassificationTask` on another kind of batch.

    Arguments, logged values and predictions are those of :class:`ClassificationTask`; ``accuracy`` is what the
    literature on point clouds calls overall accuracy, ``mean_accuracy`` mean class accuracy.

    Shape:
        A batch has a pyramid, labels ``(B,)`` and features ``(S_0, f)`` or None; the network maps features and pyramid
        to scores ``(B, num_classes)``, as :class:`~lpsc_nd.models.PointClassifier` does.
    """

    def scores_and_target(self, batch: Any) -> tuple[Tensor, Tensor]:
        """Return the scores and the classes of a batch of clouds."""
        clouds = cloud_batch(batch)
        return self.network(clouds.features, clouds.pyramid), clouds.labels

"""Measures of segmentation: four from one confusion matrix over a whole set, and three per image, averaged."""

from abc import abstractmethod

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection
from torchmetrics.functional.classification import binary_auroc, multiclass_confusion_matrix

VOID = 255  # the label of pixels that do not count


class ConfusionScore(Metric):
    """Base of what follows from the confusion matrix of all pixels; label 255 is dropped.

    Args:
        num_classes: number of classes.

    Shape:
        predicted ``(B, *size)`` int64 and target ``(B, *size)`` int64 from 0 to ``num_classes - 1``, or 255.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    confusion: Tensor  # (num_classes, num_classes) int64: rows are the truth

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("confusion", torch.zeros(num_classes, num_classes, dtype=torch.long), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor) -> None:
        """Add the pixels of a batch."""
        # Checking the range would sort all pixels; the loss has already refused a wrong label. Not added in place:
        # a matrix made by an evaluation in inference mode may not be changed outside it.
        self.confusion = self.confusion + multiclass_confusion_matrix(
            predicted, target, self.num_classes, ignore_index=VOID, validate_args=False
        )

    def compute(self) -> Tensor:
        """Return the score, from 0 to 1; 0 if no pixel counted."""
        return self.score(self.confusion.diagonal(), self.confusion.sum(dim=1), self.confusion.sum(dim=0))

    @abstractmethod
    def score(self, hits: Tensor, truth: Tensor, predicted: Tensor) -> Tensor:
        """Return the score from each class's pixels: found rightly, labelled so, and predicted so."""


class OverallAccuracy(ConfusionScore):
    """Part of all pixels that is right: oAcc."""

    def score(self, hits: Tensor, truth: Tensor, predicted: Tensor) -> Tensor:
        """Return ``sum(hits) / sum(truth)``."""
        return _ratio(hits.sum(), truth.sum())


class MeanAccuracy(ConfusionScore):
    """Mean, over the classes that occur, of the part of a class's pixels that is right: mAcc."""

    def score(self, hits: Tensor, truth: Tensor, predicted: Tensor) -> Tensor:
        """Return ``mean(hits / truth)`` over ``truth > 0``."""
        return _ratio(_ratio(hits, truth).sum(), (truth > 0).sum())


class FrequencyWeightedIoU(ConfusionScore):
    """Intersection over union of each class, weighted with its share of the pixels: fAcc in the paper's tables."""

    def score(self, hits: Tensor, truth: Tensor, predicted: Tensor) -> Tensor:
        """Return ``sum(truth / sum(truth) * hits / union)``."""
        return (_ratio(truth, truth.sum()) * _ratio(hits, truth + predicted - hits)).sum()


class MeanIoU(ConfusionScore):
    """Mean intersection over union of the classes that occur or are predicted: mIoU."""

    def score(self, hits: Tensor, truth: Tensor, predicted: Tensor) -> Tensor:
        """Return ``mean(hits / union)`` over ``union > 0``."""
        union = truth + predicted - hits
        return _ratio(_ratio(hits, union).sum(), (union > 0).sum())


def segmentation_metrics(num_classes: int) -> MetricCollection:
    """Return oAcc, mAcc, fAcc and mIoU, which share one confusion matrix."""
    scores = {
        "oAcc": OverallAccuracy(num_classes),
        "mAcc": MeanAccuracy(num_classes),
        "fAcc": FrequencyWeightedIoU(num_classes),
        "mIoU": MeanIoU(num_classes),
    }
    return MetricCollection(dict(scores), compute_groups=[list(scores)])


class ImageScore(Metric):
    """Base of scores that are taken of each image's pixels inside the field of view, and averaged over images.

    Shape:
        probability ``(B, *size)`` from 0 to 1, target ``(B, *size)`` int64: 0, 1, or 255 outside the field of view.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    total: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("total", torch.tensor(0.0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, probability: Tensor, target: Tensor) -> None:
        """Add the images of a batch; an image on which the score is undefined does not count."""
        for image, truth in zip(probability, target, strict=True):
            inside = truth != VOID
            score = self.score(image[inside], truth[inside] == 1)
            if score is not None:
                self.total = self.total + score
                self.count = self.count + 1

    def compute(self) -> Tensor:
        """Return the mean over images, from 0 to 1; 0 if no image counted."""
        return _ratio(self.total, self.count)

    @abstractmethod
    def score(self, probability: Tensor, truth: Tensor) -> Tensor | None:
        """Return the score of one image from vectors of its pixels, or None where it is undefined."""


class Sensitivity(ImageScore):
    """Part of the vessels' pixels that is found, at probability 0.5; undefined without vessels."""

    def score(self, probability: Tensor, truth: Tensor) -> Tensor | None:
        """Return the part of the true pixels whose probability is over one half."""
        return (probability[truth] > 0.5).float().mean() if truth.any() else None


class PixelAccuracy(ImageScore):
    """Part of the pixels that is right, at probability 0.5; undefined without pixels."""

    def score(self, probability: Tensor, truth: Tensor) -> Tensor | None:
        """Return the part of all pixels that is right."""
        return ((probability > 0.5) == truth).float().mean() if len(truth) else None


class AreaUnderCurve(ImageScore):
    """Area under the ROC curve; undefined unless there are pixels of both kinds."""

    def score(self, probability: Tensor, truth: Tensor) -> Tensor | None:
        """Return the chance that a vessel's pixel has the higher probability of two."""
        both = bool(truth.any()) and not bool(truth.all())
        return binary_auroc(probability, truth.long(), validate_args=False) if both else None


def vessel_metrics() -> MetricCollection:
    """Return sensitivity, accuracy and AUC per image inside the field of view, averaged over images."""
    scores: dict[str, Metric | MetricCollection] = {
        "sensitivity": Sensitivity(),
        "accuracy": PixelAccuracy(),
        "AUC": AreaUnderCurve(),
    }
    # By default a collection merges metrics whose states happen to be equal after the first batch.
    return MetricCollection(scores, compute_groups=False)


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    """Return ``part / whole``, and 0 where both are 0."""
    return part.float() / whole.clamp(min=1)

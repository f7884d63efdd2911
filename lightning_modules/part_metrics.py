"""Measures of part segmentation: accuracy, and intersection over union averaged over clouds or categories."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torchmetrics import Metric, MetricCollection

from lpsc_nd import _checks


class PartIoU(Metric):
    """Base of the two averages; it adds up the clouds' values and counts them for each category.

    The value of a cloud is the mean, over the parts of its category, of intersection over union of the points that have
    the part and those that are predicted to; a part that is neither there nor predicted counts 1. Clouds without points
    do not count.

    Args:
        class_parts: for each category the labels of its parts.

    Shape:
        predicted and parts ``(n,)`` int64, batch ``(n,)``, the cloud of each point, categories ``(B,)``.

    Raises:
        ValueError: a category without parts, with a negative label or with one twice.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    total: Tensor
    count: Tensor

    def __init__(self, class_parts: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.class_parts = check_class_parts(class_parts)
        self.add_state("total", torch.zeros(len(self.class_parts), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(len(self.class_parts), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, parts: Tensor, batch: Tensor, categories: Tensor) -> None:
        """Add the clouds of a batch."""
        values = cloud_ious(predicted, parts, batch, categories, self.class_parts)
        seen = torch.bincount(batch, minlength=len(categories)) > 0
        # Not in place: the states of an evaluation are inference tensors.
        self.total = self.total.index_add(0, categories[seen], values[seen].to(self.total.dtype))
        self.count = self.count + torch.bincount(categories[seen], minlength=len(self.count))


class InstanceIoU(PartIoU):
    """Mean over all clouds: instance mIoU; 0 if there were none."""

    def compute(self) -> Tensor:
        """Return the mean over clouds."""
        return (self.total.sum() / self.count.sum().clamp(min=1)).float()


class CategoryIoU(PartIoU):
    """Mean over the categories that occur of the mean over their clouds: class mIoU; 0 if there were none."""

    def compute(self) -> Tensor:
        """Return the mean over categories."""
        means = self.total / self.count.clamp(min=1)
        return (means.sum() / (self.count > 0).sum().clamp(min=1)).float()


class PointAccuracy(Metric):
    """Part of all points that is right; 0 if there were none. It is updated like :class:`PartIoU`."""

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    hits: Tensor
    count: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("hits", torch.tensor(0), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, parts: Tensor, batch: Tensor, categories: Tensor) -> None:
        """Add the points of a batch."""
        self.hits = self.hits + (predicted == parts).sum()
        self.count = self.count + len(parts)

    def compute(self) -> Tensor:
        """Return the part of the points that is right."""
        return self.hits / self.count.clamp(min=1)


def part_metrics(class_parts: Sequence[Sequence[int]]) -> MetricCollection:
    """Return accuracy, instance mIoU and class mIoU; the last two share what they count."""
    scores: dict[str, Metric | MetricCollection] = {
        "accuracy": PointAccuracy(),
        "instance_mIoU": InstanceIoU(class_parts),
        "class_mIoU": CategoryIoU(class_parts),
    }
    return MetricCollection(scores, compute_groups=[["accuracy"], ["instance_mIoU", "class_mIoU"]])


def cloud_ious(
    predicted: Tensor, parts: Tensor, batch: Tensor, categories: Tensor, class_parts: Sequence[Sequence[int]]
) -> Tensor:
    """Return the value of every cloud, see :class:`PartIoU`; 1 for a cloud without points.

    Shape:
        predicted, parts and batch ``(n,)``, categories ``(B,)`` -> ``(B,)`` float32.

    >>> predicted, parts = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 1])
    >>> cloud_ious(predicted, parts, torch.zeros(4, dtype=torch.int64), torch.tensor([0]), [[0, 1, 2]])
    tensor([0.7222])
    """
    own = part_table(class_parts, parts.device)[categories]  # (B, P)
    shape = own.shape
    hits = _histogram(parts[predicted == parts], batch[predicted == parts], shape)
    union = _histogram(parts, batch, shape) + _histogram(predicted, batch, shape) - hits
    values = torch.where(union > 0, hits / union.clamp(min=1), 1.0)
    return (values * own).sum(dim=1) / own.sum(dim=1)


def part_table(class_parts: Sequence[Sequence[int]], device: torch.device | str | None = None) -> Tensor:
    """Return which parts (columns) belong to which category (rows), a boolean matrix."""
    table = torch.zeros(len(class_parts), 1 + max(map(max, class_parts)), dtype=torch.bool)
    for row, parts in zip(table, class_parts, strict=True):
        row[list(parts)] = True
    return table.to(device)


def check_class_parts(class_parts: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Return the parts of every category as tuples.

    Raises:
        TypeError, ValueError: no category, one without parts, a label that is negative or there twice.
    """
    checked = tuple(
        tuple(_checks.integer(f"class_parts[{row}][{column}]", part, minimum=0) for column, part in enumerate(parts))
        for row, parts in enumerate(class_parts)
    )
    if not checked:
        raise ValueError("class_parts must hold the parts of at least one category, got none")
    for row, parts in enumerate(checked):
        if not parts or len(set(parts)) < len(parts):
            raise ValueError(f"class_parts[{row}] must be one or more labels, each once, got {parts}")
    return checked


def _histogram(parts: Tensor, batch: Tensor, shape: torch.Size) -> Tensor:
    """Count the points of each cloud and part."""
    clouds, labels = shape
    return torch.bincount(batch * labels + parts, minlength=clouds * labels).view(clouds, labels)

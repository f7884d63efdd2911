"""Measures of segmented volumes: Dice, intersection over union, and the 95 % Hausdorff distance in millimetres."""

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torchmetrics import Metric

from lpsc_nd import _checks

_PERCENTILE = 95.0


class MaskScores(NamedTuple):
    """How well a predicted mask agrees with the true one."""

    dice: float
    iou: float
    hd95: float


class VolumeScores(Metric):
    """Scores of every class but 0, each taken per volume and averaged over volumes, then over classes.

    ``Dice`` is ``2 |P and T| / (|P| + |T|)``, ``IoU`` is ``|P and T| / |P or T|``, and ``HD95`` the 95 % Hausdorff
    distance in the unit of ``spacing``, see :func:`hausdorff_distance`. Where a class is neither in the truth nor in
    the prediction, they agree: 1, 1 and 0. Where it is in one of them alone: 0, 0 and the volume's diagonal. So every
    volume counts for every class, and no score is ever infinite or undefined.

    Args:
        num_classes: number of classes, the background, 0, included.
        distances: take ``HD95``, too, which costs more than the others.

    Shape:
        predicted and target ``(B, *size)``, integers from 0 to ``num_classes - 1``.

    Raises:
        ValueError: ``num_classes`` is below 2.

    >>> scores = VolumeScores(2)
    >>> scores.update(torch.tensor([[[1, 1, 0]]]), torch.tensor([[[1, 0, 0]]]), spacing=(1.0, 3.0))
    >>> {name: round(float(value), 3) for name, value in scores.compute().items()}
    {'Dice': 0.667, 'IoU': 0.5, 'HD95': 2.85}
    """

    full_state_update = False
    higher_is_better = None
    is_differentiable = False
    total: Tensor  # (3, num_classes - 1)
    count: Tensor

    def __init__(self, num_classes: int, *, distances: bool = True) -> None:
        super().__init__()
        self.num_classes = _checks.integer("num_classes", num_classes, minimum=2)
        self.distances = distances
        shape = (len(MaskScores._fields), num_classes - 1)
        self.add_state("total", torch.zeros(shape, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.tensor(0), dist_reduce_fx="sum")

    def update(self, predicted: Tensor, target: Tensor, spacing: Sequence[float]) -> None:
        """Add the volumes of a batch; ``spacing`` is the size of a voxel along each axis."""
        for found, truth in zip(predicted, target, strict=True):
            scores = [
                mask_scores(found == label, truth == label, spacing, distances=self.distances)
                for label in range(1, self.num_classes)
            ]
            # Not in place: the states of an evaluation are inference tensors.
            self.total = self.total + torch.tensor(scores, dtype=torch.float64).T.to(self.total.device)
            self.count = self.count + 1

    def compute(self) -> dict[str, Tensor]:
        """Return the means; with more than two classes also each one's own, under its number; 0 without volumes."""
        names = ("Dice", "IoU", "HD95") if self.distances else ("Dice", "IoU")
        found: dict[str, Tensor] = {}
        for name, values in zip(names, self.total / self.count.clamp(min=1), strict=False):
            found[name] = values.mean().float()
            if self.num_classes > 2:
                found |= {f"{name}_{label}": value.float() for label, value in enumerate(values, start=1)}
        return found


def mask_scores(predicted: Tensor, truth: Tensor, spacing: Sequence[float], *, distances: bool = True) -> MaskScores:
    """Return the scores of one mask, by the rules of :class:`VolumeScores`; without ``distances`` HD95 is 0.

    Shape:
        both masks ``(*size)``, boolean.
    """
    both, either = int((predicted & truth).sum()), int((predicted | truth).sum())
    if either == 0:
        return MaskScores(1.0, 1.0, 0.0)
    distance = hausdorff_distance(predicted, truth, spacing) if distances else 0.0
    return MaskScores(2 * both / (both + either), both / either, distance)


def hausdorff_distance(predicted: Tensor, truth: Tensor, spacing: Sequence[float]) -> float:
    """Return the 95 % Hausdorff distance between the surfaces of two masks, through MONAI.

    Surfaces are the voxels with a face outside of the mask. From every voxel of one surface the distance to the nearest
    voxel of the other is taken, between centres, and of these the 95th percentile; the larger one of the two directions
    counts. Two empty masks are 0 apart, an empty one and another by the diagonal of the volume.

    Shape:
        both masks ``(*size)``, boolean.
    """
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance

    if not (predicted.any() and truth.any()):
        extent = torch.tensor(predicted.shape) * torch.tensor(spacing, dtype=torch.float64)
        return float(extent.norm()) if predicted.any() or truth.any() else 0.0
    found, true = predicted[None, None].float(), truth[None, None].float()
    with warnings.catch_warnings():
        # MONAI calls itself with an argument that it has given up.
        warnings.filterwarnings("ignore", message=".*get_mask_edges:always_return_as_numpy", category=FutureWarning)
        distance = compute_hausdorff_distance(
            found, true, include_background=True, percentile=_PERCENTILE, spacing=list(spacing)
        )
    return float(distance)

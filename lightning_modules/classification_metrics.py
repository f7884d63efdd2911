"""The area under the ROC curve for several classes, as MedMNIST has it."""

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_auroc
from torchmetrics.utilities import dim_zero_cat


class OneVersusRestAUC(Metric):
    """Mean over the classes of the area under the ROC curve of a class against all others.

    The probability of the class is what ranks the samples. A class that none of the samples has, or all of them, has no
    curve and does not count. With two classes both curves have the same area, the ordinary one.

    Args:
        num_classes: number of classes.

    Shape:
        scores ``(B, num_classes)`` before the softmax, target ``(B,)`` int64.
    """

    full_state_update = False
    higher_is_better = True
    is_differentiable = False
    probability: list[Tensor]
    target: list[Tensor]

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.num_classes = num_classes
        self.add_state("probability", [], dist_reduce_fx="cat")
        self.add_state("target", [], dist_reduce_fx="cat")

    def update(self, scores: Tensor, target: Tensor) -> None:
        """Keep the probabilities and classes of a batch; all of them are ranked in the end."""
        self.probability.append(scores.detach().float().softmax(dim=1))
        self.target.append(target)

    def compute(self) -> Tensor:
        """Return the mean area, from 0 to 1; 0 if no class counted."""
        probability, target = dim_zero_cat(self.probability), dim_zero_cat(self.target)
        areas = [
            binary_auroc(probability[:, label], (target == label).long(), validate_args=False)
            for label in range(self.num_classes)
            if 0 < int((target == label).sum()) < len(target)
        ]
        return torch.stack(areas).mean() if areas else probability.new_zeros(())

"""Learning rates that torch does not have: a polynomial with a floor, and a part of a network at a rate of its own."""

from collections.abc import Iterable
from typing import Any

from pytorch_lightning.cli import OptimizerCallable
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import PolynomialLR


class PolynomialFloorLR(PolynomialLR):
    """Lowers the rate polynomially, down to a floor: ``max(lr_0 * (1 - step / total_iters)^power, floor)``.

    Args:
        optimizer: whose rate it sets.
        total_iters: number of steps until the end; afterwards the rate stays.
        power: of the polynomial.
        floor: least rate.

    Raises:
        ValueError: ``total_iters`` is not positive, or ``floor`` is negative.
    """

    def __init__(
        self, optimizer: Optimizer, total_iters: int, power: float = 0.9, floor: float = 1e-6, last_epoch: int = -1
    ) -> None:
        if total_iters < 1:
            raise ValueError(f"total_iters must be at least 1, got {total_iters}")
        if floor < 0:
            raise ValueError(f"floor must be at least 0, got {floor:g}")
        self.floor = floor
        super().__init__(optimizer, total_iters, power, last_epoch)

    def get_lr(self) -> Any:
        """Return the next rate of each parameter group."""
        return [max(rate, self.floor) for rate in super().get_lr()]


class TwoRates:
    """A builder of optimisers that gives one part of a network another rate; its group is the first.

    Args:
        optimizer: builder of the optimiser from parameter groups.
        part: the module that learns at another rate.
        factor: its rate over that of the rest.
    """

    def __init__(self, optimizer: OptimizerCallable, part: nn.Module, factor: float) -> None:
        self.optimizer = optimizer
        self.part = part
        self.factor = factor

    def __call__(self, parameters: Iterable[nn.Parameter]) -> Optimizer:
        """Build the optimiser of all ``parameters``."""
        inside = {id(parameter) for parameter in self.part.parameters()}
        groups: tuple[list[nn.Parameter], list[nn.Parameter]] = ([], [])
        for parameter in parameters:
            groups[id(parameter) not in inside].append(parameter)
        built = self.optimizer([{"params": group} for group in groups])
        built.param_groups[0]["lr"] *= self.factor
        return built

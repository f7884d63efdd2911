"""How parameters are drawn: nn.Conv's law, with the fan that log-polar pooling leaves."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import Tensor, nn

from lpsc_nd.geometry import Reduction, Stencil


def draw_parameters(parameters: Iterable[Tensor], channels: int, gain: float) -> None:
    """Draw all parameters uniformly within 1 / sqrt(channels * gain), nn.Conv's bound for a fan of channels * gain."""
    fan = channels * gain
    bound = 1 / math.sqrt(fan) if fan > 0 else 0.0
    for parameter in parameters:
        nn.init.uniform_(parameter, -bound, bound)


def white_gain(stencil: Stencil, reduction: Reduction, *, center: bool) -> float:
    """Return the summed variance of all pooled values of a channel, for white input of unit variance.

    sum_r 1 / N_r for the mean, sum_r N_r for the sum, plus 1 for the centre; regions without cells do not count. A
    maximum's variance has no such form: each region counts as 1.
    """
    counts = stencil.counts[stencil.counts > 0]
    gains = {"mean": (1 / counts).sum(), "sum": counts.sum(), "max": len(counts)}
    return float(gains[reduction]) + center

"""Networks of equal size by construction: widths scaled to a number of parameters."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Sequence

import torch
from torch import nn

from lpsc_nd import _checks


def widths_within(budget: int, widths: Sequence[int], build: Callable[[tuple[int, ...]], nn.Module]) -> tuple[int, ...]:
    """Scale ``widths`` by one factor, to the largest network with at most ``budget`` parameters.

    Each width is ``factor * width`` rounded to the nearest integer, a half upwards, and at least 1. The factor is found
    by bisection, on networks without values: on the "meta" device parameters have sizes alone.

    Args:
        budget: parameters at most.
        widths: channels of each stage; they give the proportions.
        build: builds the network of given widths.

    Returns:
        The scaled widths.

    Raises:
        ValueError: the network of the smallest widths, all 1, has more parameters; or a width below 1.
        TypeError: an argument of another type.

    >>> widths_within(1000, (1, 2), lambda widths: nn.Linear(*widths))
    (22, 43)
    """
    most = _checks.integer("budget", budget, minimum=1)
    proportions = _checks.integers("widths", widths, len(widths), minimum=1)
    counts: dict[tuple[int, ...], int] = {}

    def count(step: int) -> int:
        scaled = _scaled(proportions, step)
        if scaled not in counts:
            counts[scaled] = parameters_of(build, scaled)
        return counts[scaled]

    if count(0) > most:
        raise ValueError(
            f"budget must be at least {count(0)}, the parameters of the smallest network, of widths "
            f"{list(_scaled(proportions, 0))}, got {most}"
        )
    above = 2 * math.lcm(*proportions)  # the network as it is
    while count(above) <= most:
        above *= 2
    return _scaled(proportions, bisect_right(range(above), most, key=count) - 1)


def parameters_of(build: Callable[[tuple[int, ...]], nn.Module], widths: tuple[int, ...]) -> int:
    """Return how many parameters a network of these widths has; nothing is allocated and no number drawn."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build(widths).parameters())


def _scaled(widths: tuple[int, ...], step: int) -> tuple[int, ...]:
    """Return the widths times ``step / (2 lcm)``: no width changes between two successive steps."""
    whole = 2 * math.lcm(*widths)
    return tuple(max(1, (2 * step * width + whole) // (2 * whole)) for width in widths)

"""What torch.utils.flop_counter counts for the bag operators, once this module is imported.

Torch's convention: two operations for a multiply-add, and nothing for sums such as pooling. Each derivative of a
bilinear map takes as many multiply-adds as the map, which is how torch counts those of dense convolutions too. Where a
layer runs a dense convolution instead of the operator, that one is counted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch.utils.flop_counter import register_flop_formula

from lpsc_nd.pooling import ops  # noqa: F401  (defines the operators)

Shape = Sequence[int]


@register_flop_formula(torch.ops.lpsc.conv)
def _conv(x: Shape, weight: Shape, bias: Shape | None, groups: int, *window: Any, out_shape: Shape, **_: Any) -> int:
    return mixing_flops(out_shape, weight)


@register_flop_formula(torch.ops.lpsc.input_grad)
def _input_grad(gy: Shape, weight: Shape, *_: Any, **__: Any) -> int:
    return mixing_flops(gy, weight)


@register_flop_formula(torch.ops.lpsc.weight_grad)
def _weight_grad(x: Shape, gy: Shape, groups: int, *window: Any, out_shape: Shape, **_: Any) -> int:
    return mixing_flops(gy, out_shape)


@register_flop_formula(torch.ops.lpsc.both_grads)
def _both_grads(x: Shape, gy: Shape, weight: Shape, *_: Any, **__: Any) -> int:
    return 2 * mixing_flops(gy, weight)


def mixing_flops(output: Shape, weight: Shape) -> int:
    """Return two for each multiply-add of weights (C', C / groups, bags) with pooled input, output (B, C', *out).

    >>> mixing_flops((1, 8, 10, 10), (8, 3, 13)) == 2 * 100 * 8 * 3 * 13
    True
    """
    return 2 * math.prod(output) * math.prod(weight[1:])

"""One feature vector per cloud."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from lpsc_nd import _checks
from lpsc_nd.points import checks
from lpsc_nd.points.segments import POOL_REDUCTIONS, PoolReduction, reduce_segments


def global_pool(
    x: Tensor, batch: Any = None, num_clouds: int | None = None, reduction: PoolReduction = "mean"
) -> Tensor:
    """Reduce the features of every cloud to one vector, y[k] = mean, sum or max of the x[i] with batch[i] = k.

    It is differentiable any number of times, and adds in the order of the points, so equal input gives equal output to
    the last bit. Points that share a maximum share its gradient. A cloud without points gives 0.

    Args:
        x: features.
        batch: cloud of each point, ascending integers; None is one cloud.
        num_clouds: how many clouds there are; needed with ``batch``, as the last ones may be empty.
        reduction: "mean", "sum" or "max".

    Shape:
        x (n, C...), batch (n,), result (num_clouds, C...).

    Raises:
        TypeError: features that are not a floating-point tensor.
        ValueError: a batch vector that is unsorted, negative, of another length or reaches ``num_clouds``.

    >>> global_pool(torch.tensor([[1.0], [3.0], [5.0]]), torch.tensor([0, 0, 2]), 3).flatten().tolist()
    [2.0, 0.0, 5.0]
    """
    if not isinstance(x, Tensor) or not x.is_floating_point():
        raise TypeError(
            f"x must be a floating-point tensor, got {x.dtype if isinstance(x, Tensor) else type(x).__name__}"
        )
    if x.ndim == 0:
        raise ValueError("x must have shape (n, ...), got a single number")
    _checks.choice("reduction", reduction, POOL_REDUCTIONS)
    if batch is not None and num_clouds is None:
        raise ValueError("num_clouds must be given with batch, as the last clouds may be empty")
    total = _checks.integer("num_clouds", 1 if num_clouds is None else num_clouds, minimum=0)
    clouds = checks.batch("batch", batch, len(x))
    if len(clouds) and clouds[-1] >= total:
        raise ValueError(f"batch must be below num_clouds, {total}, got {clouds[-1]}")
    counts = torch.from_numpy(np.bincount(clouds, minlength=total)).to(x.device)
    return reduce_segments(x, counts, reduction)

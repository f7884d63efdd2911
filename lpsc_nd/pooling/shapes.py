"""The sizes of a call, and which of its passes count."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor

from lpsc_nd.pooling.threads import threads_now

PassName = Literal["forward", "weight_grad", "input_grad"]
PASSES: tuple[PassName, ...] = get_args(PassName)

Derivatives = Literal["none", "parameters", "all"]
"""For what there are gradients: nothing, as in inference; the parameters, as in a first layer; the input as well."""

DERIVATIVES: tuple[Derivatives, ...] = get_args(Derivatives)

FEW_CHANNELS = 8
"""Input channels up to which a layer is likely the first of a network, and its passes differ most in cost."""


@dataclass(frozen=True)
class Shapes:
    """The sizes on which the cost depends.

    Args:
        batch: images.
        in_channels: C.
        out_channels: C'.
        groups: groups of channels.
        size: input size per axis.
        derivatives: what will be differentiated for.
        threads: how many PyTorch has; the more, the more weighs what they cannot share.
    """

    batch: int
    in_channels: int
    out_channels: int
    groups: int
    size: tuple[int, ...]
    derivatives: Derivatives = "all"
    threads: int = field(default_factory=threads_now)

    @property
    def has_few_channels(self) -> bool:
        """Whether the input has so few channels that they do not fill a vector."""
        return self.groups == 1 and self.in_channels <= FEW_CHANNELS

    @property
    def passes(self) -> tuple[PassName, ...]:
        """The passes that count.

        Between layers all of them do, also in inference: so a layer runs the same engine there as in training, and
        rounds alike. Few input channels are dear to carry gradients to, and a first layer does not.
        """
        if not self.has_few_channels:
            return PASSES
        return PASSES[: DERIVATIVES.index(self.derivatives) + 1]


def derivatives_of(x: Tensor) -> Derivatives:
    """Tell for what a call on this input will have gradients."""
    if not torch.is_grad_enabled():
        return "none"
    return "all" if x.requires_grad else "parameters"

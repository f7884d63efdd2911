"""How the published networks draw their dense convolutions."""

from typing import Literal

from torch import nn


def draw_he(network: nn.Module, mode: Literal["fan_in", "fan_out"] = "fan_out") -> None:
    """Draw dense convolutions from N(0, 2 / fan), their biases 0; log-polar layers keep what they drew themselves."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode=mode, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

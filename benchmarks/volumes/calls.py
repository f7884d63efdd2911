"""The calls that are timed: a layer's passes, and a network's training step."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from benchmarks.network_calls import inference, training_step
from benchmarks.references import Contender, Layout
from benchmarks.volumes.cases import VolumeCase
from lpsc_nd.models import UNet


def contender(case: VolumeCase, name: str, layout: Layout, x: Tensor) -> Contender:
    """Build the named module of a case, with an input in a memory format."""
    torch.manual_seed(0)
    module = arrange(case.build(name), layout)
    own = arranged_input(x, layout)
    return Contender(name, layout, inference(module, own), training(module, own))


def training(module: nn.Module, x: Tensor) -> Callable[[], object]:
    """Return a network's training step, or the gradients of a layer's input and parameters."""
    if isinstance(module, UNet):
        return training_step(module, x)
    inputs = x.clone().requires_grad_()
    wanted = [inputs, *module.parameters()]
    weights: list[Tensor] = []

    def call() -> tuple[Tensor, ...]:
        y = module(inputs)
        if not weights:
            weights.append(torch.randn_like(y))
        return torch.autograd.grad(y, wanted, weights[0])

    return call


def arrange(module: nn.Module, layout: Layout) -> nn.Module:
    """Put a module's parameters into a memory format."""
    if layout == "channels last":
        module.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return module


def arranged_input(x: Tensor, layout: Layout) -> Tensor:
    """Return a copy of an input in a memory format."""
    return x.to(memory_format=torch.channels_last_3d, copy=True) if layout == "channels last" else x.clone()

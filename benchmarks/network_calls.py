"""What is timed of a network: inference, and one training step."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from benchmarks.network_cases import NetworkCase
from benchmarks.references import Contender, Layout

FORMATS: dict[Layout, torch.memory_format] = {
    "default": torch.contiguous_format,
    "channels last": torch.channels_last,
}


def contenders(case: NetworkCase) -> list[Contender]:
    """Build every network of a case in both memory formats, on the same two inputs."""
    images, batch = torch.randn(case.inference_shape), torch.randn(case.training_shape)
    return [
        contender(name, network, images, batch, layout)
        for name, network in case.networks().items()
        for layout in FORMATS
    ]


def contender(name: str, network: nn.Module, images: Tensor, batch: Tensor, layout: Layout) -> Contender:
    """Wrap copies of a network, one for each pass, in a memory format."""
    memory_format = FORMATS[layout]
    own = copy.deepcopy(network).to(memory_format=memory_format)  # type: ignore[call-overload]
    images, batch = (x.to(memory_format=memory_format, copy=True) for x in (images, batch))
    return Contender(name, layout, inference(copy.deepcopy(own), images), training_step(own, batch))


def inference(network: nn.Module, images: Tensor) -> Callable[[], Tensor]:
    """Return the call that computes a batch's scores with normalisation as it was learnt, and no graph."""
    network.eval()

    def call() -> Tensor:
        with torch.no_grad():
            scores: Tensor = network(images)
            return scores

    return call


def training_step(network: nn.Module, batch: Tensor) -> Callable[[], Tensor]:
    """Return the call that makes one training step: forward, cross entropy, backward, and an update by SGD.

    The update has momentum and weight decay as in the paper's recipes and a learning rate of 0: the arithmetic is the
    same, and every repetition starts from the same weights. Labels are zeros, (B,) or (B, H, W) as the scores ask for.
    """
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=0.0, momentum=0.9, weight_decay=1e-4)
    labels: list[Tensor] = []

    def call() -> Tensor:
        optimizer.zero_grad()
        scores = network(batch)
        if not labels:
            labels.append(torch.zeros(scores.shape[:1] + scores.shape[2:], dtype=torch.int64))
        loss = F.cross_entropy(scores, labels[0])
        loss.backward()
        optimizer.step()
        return loss.detach()

    return call

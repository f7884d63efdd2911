"""Whole networks to be timed, as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from torch import nn

from lpsc_nd.models import AlexNet, CifarResNet, DeepLabV3Plus


@dataclass(frozen=True)
class Variant:
    """A variant of a network, and what is asked of it.

    Args:
        name: what the network's class calls it.
        bound: how many times as long as the reference it may take at most; None where nothing is asked.
        paper: how many times as long as the reference it took in the paper's Table 2, if it is there.
    """

    name: str
    bound: float | None = None
    paper: float | None = None


@dataclass(frozen=True)
class NetworkCase:
    """A network, its inputs, and the variants that are held against its reference.

    Args:
        name: what the command line calls it.
        title: what the paper calls it.
        build: class of the network, which takes ``variant``.
        inference_shape: (B, C, H, W) of a batch to infer from.
        training_shape: the same of a training step.
        variants: what is timed beside the reference.
        reference: the variant that the others are held against.
    """

    name: str
    title: str
    build: Callable[..., nn.Module]
    inference_shape: tuple[int, ...]
    training_shape: tuple[int, ...]
    variants: tuple[Variant, ...]
    reference: str = "conv"

    def networks(self) -> dict[str, nn.Module]:
        """Build the reference and all variants, by name."""
        names = (self.reference, *(variant.name for variant in self.variants))
        return {name: self.build(variant=name) for name in names}


CIFAR, VOC, VOC_PAIR = (100, 3, 32, 32), (1, 3, 513, 513), (2, 3, 513, 513)

NETWORKS = (
    NetworkCase(
        "resnet110",
        "ResNet-110",
        partial(CifarResNet, depth=110, num_classes=100),
        CIFAR,
        CIFAR,
        (
            Variant("dilated", paper=1.0),
            Variant("lpsc", bound=1.05, paper=1.44),
            Variant("lpsc_cc_text", bound=1.1, paper=5.4),
            Variant("lpsc_cc", bound=1.3, paper=5.4),
        ),
    ),
    NetworkCase("alexnet", "AlexNet", AlexNet, CIFAR, CIFAR, (Variant("lpsc", bound=1.0),)),
    NetworkCase("deeplab", "DeepLabv3+", DeepLabV3Plus, VOC, VOC_PAIR, (Variant("lpsc", bound=1.1),)),
)
"""The networks whose speed is promised. Normalising one image's mean asks for two images in DeepLab's training step."""

SMOKE = NetworkCase(
    "network-smoke", "ResNet-8", partial(CifarResNet, depth=8), (2, 3, 8, 8), (2, 3, 8, 8), (Variant("lpsc"),)
)
"""A tiny network to try the program with; it tells nothing about speed."""

NETWORK_CASES = {case.name: case for case in (*NETWORKS, SMOKE)}


def chosen(names: Sequence[str]) -> tuple[NetworkCase, ...]:
    """Return the named cases, or without names all whose speed is promised.

    Raises:
        ValueError: a name that no case has.
    """
    unknown = sorted(set(names) - set(NETWORK_CASES))
    if unknown:
        raise ValueError(f"no network is called {', '.join(unknown)}; there are {', '.join(NETWORK_CASES)}")
    return tuple(NETWORK_CASES[name] for name in names) if names else NETWORKS

"""What is timed on volumes and series, as data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

from torch import nn

from benchmarks.references import Layout, Pass
from lpsc_nd import LPSConv1d
from lpsc_nd.models import ConvBuilder, UNet, convolutions

Quantity = Literal["time / theirs", "x theirs", "memory / theirs"]
"""Our time over theirs, their time over ours, our peak memory over theirs."""

BOTH: tuple[Layout, ...] = ("default", "channels last")


@dataclass(frozen=True)
class Target:
    """What is promised beside a rival: at most ``limit``, for "x theirs" at least.

    Args:
        quantity: what is compared, in a training step.
        limit: the bound.
    """

    quantity: Quantity
    limit: float

    @property
    def text(self) -> str:
        """The bound as a table shows it."""
        return f"{'≥' if self.quantity == 'x theirs' else '≤'} {self.limit:g}"

    def verdict(self, value: float | None) -> str:
        """Say whether a value keeps the bound."""
        if value is None:
            return "not measured"
        return "met" if (value >= self.limit if self.quantity == "x theirs" else value <= self.limit) else "not met"


@dataclass(frozen=True)
class Rival:
    """What ours takes turns with.

    Args:
        name: what tables call it.
        build: makes the module.
        targets: what is promised beside it.
        layouts: memory formats in which it is timed.
        least: repetitions at least.
    """

    name: str
    build: Callable[[], nn.Module]
    targets: tuple[Target, ...] = ()
    layouts: tuple[Layout, ...] = BOTH
    least: int = 9


@dataclass(frozen=True)
class VolumeCase:
    """A module of ours, an input, and the conventional modules beside it.

    Args:
        name: what the command line calls it.
        title: what tables call it.
        ours: makes our module.
        rivals: the modules beside it, each timed in turns with ours.
        input_shape: (B, C, *size).
        passes: what is timed; "forward + backward" of a network is a whole training step.
    """

    name: str
    title: str
    ours: Callable[[], nn.Module]
    rivals: tuple[Rival, ...]
    input_shape: tuple[int, ...]
    passes: tuple[Pass, ...] = ("forward + backward",)

    @property
    def layouts(self) -> tuple[Layout, ...]:
        """Memory formats of our module; PyTorch has none but the default for series."""
        return BOTH if len(self.input_shape) > 3 else ("default",)

    def build(self, name: str) -> nn.Module:
        """Build our module, or the rival of this name.

        Raises:
            KeyError: there is no such rival.
        """
        return {"ours": self.ours, **{rival.name: rival.build for rival in self.rivals}}[name]()


def unet(conv: Callable[[], ConvBuilder], widths: tuple[int, ...]) -> nn.Module:
    """Build a U-Net on volumes of one channel, with scores of two classes."""
    return UNet(3, conv(), 1, 2, widths)


def unet_case(name: str, title: str, widths: tuple[int, ...], side: int) -> VolumeCase:
    """Return a U-Net of 7^3 log-polar layers beside the same of 3^3 and of dense 7^3 convolutions."""
    ball = partial(convolutions.log_polar, 3, 7, num_levels=2, num_directions=(2, 4))
    time, memory = Target("time / theirs", 2.0), Target("memory / theirs", 1.3)
    rivals = (
        Rival("3^3", partial(unet, partial(convolutions.conv, 3, 3), widths), (time, memory)),
        Rival(
            "dense 7^3",
            partial(unet, partial(convolutions.conv, 3, 7), widths),
            (Target("x theirs", 5.0),),
            ("default",),  # in channels last the gradients of such kernels take minutes
            least=3,
        ),
    )
    return VolumeCase(name, title, partial(unet, ball, widths), rivals, (1, 1, side, side, side))


def series_case(name: str, title: str, channels: int, shape: tuple[int, int], field: int, growth: float) -> VolumeCase:
    """Return a layer of four levels on series beside a convolution of nine taps, which has as many weights."""
    layer = partial(LPSConv1d, channels, channels, field, padding="same", num_levels=4, num_directions=2, growth=growth)
    conv = partial(nn.Conv1d, channels, channels, 9, padding="same")
    rival = Rival("width 9", conv, (Target("time / theirs", 2.0),), ("default",))
    return VolumeCase(name, title, layer, (rival,), (shape[0], channels, shape[1]), ("forward", "forward + backward"))


VOLUMES = (
    unet_case("unet3d-16", "U-Net, 7^3 log-polar, widths 16, 32, 64, patch of 64^3", (16, 32, 64), 64),
    unet_case("unet3d-32", "U-Net, 7^3 log-polar, widths 32, 64, 128, patch of 64^3", (32, 64, 128), 64),
    series_case("series-1025", "1-D 1025 (4 levels, growth 8), 64 → 64, 8 of 4096", 64, (8, 4096), 1025, 8.0),
)
"""What is promised."""

SMOKE = (
    unet_case("volume-smoke", "tiny U-Net", (2, 3), 8),
    series_case("series-smoke", "tiny layer", 4, (2, 40), 17, 2.0),
)
"""Tiny modules to try the program with; they tell nothing about speed."""

VOLUME_CASES = {case.name: case for case in (*VOLUMES, *SMOKE)}


def chosen(names: Sequence[str]) -> tuple[VolumeCase, ...]:
    """Return the named cases, or without names all whose speed is promised.

    Raises:
        ValueError: a name that no case has.
    """
    unknown = sorted(set(names) - set(VOLUME_CASES))
    if unknown:
        raise ValueError(f"no case is called {', '.join(unknown)}; there are {', '.join(VOLUME_CASES)}")
    return tuple(VOLUME_CASES[name] for name in names) if names else VOLUMES

"""Images that are known at every point of the plane, and what is to be found in them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor


class Waves:
    """A sum of random waves: an image, and the length of its gradient, at any point of the plane.

    Args:
        generator: of the waves.
        count: how many.
        shortest: least wavelength, in cells.
        longest: greatest wavelength.

    >>> image = Waves(torch.Generator().manual_seed(0))
    >>> image.value(torch.zeros(5, 7, 2)).shape
    torch.Size([5, 7])
    """

    def __init__(
        self, generator: torch.Generator, count: int = 12, shortest: float = 8.0, longest: float = 24.0
    ) -> None:
        length = shortest * (longest / shortest) ** torch.rand(count, 1, generator=generator)
        direction = 2 * math.pi * torch.rand(count, 1, generator=generator)
        self.number = 2 * math.pi / length * torch.cat([direction.sin(), direction.cos()], dim=1)  # (count, 2)
        self.phase = 2 * math.pi * torch.rand(count, generator=generator)
        self.height = math.sqrt(2 / count)

    def value(self, points: Tensor) -> Tensor:
        """Return the image at points (..., 2); its mean square over the plane is 1."""
        return self.height * (points @ self.number.T + self.phase).cos().sum(dim=-1)

    def slope(self, points: Tensor) -> Tensor:
        """Return the length of the gradient at points (..., 2)."""
        along = -self.height * (points @ self.number.T + self.phase).sin()
        return (along @ self.number).norm(dim=-1)


@dataclass(frozen=True)
class WaveTask:
    """What a network is to find.

    Args:
        title: of its picture.
        noise: standard deviation of the noise in each value that the network sees.
        target: what is to be found at points.
    """

    title: str
    noise: float
    target: Callable[[Waves, Tensor], Tensor]

    def draw(self, waves: Waves, points: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Return what is seen and what is to be found at points (..., 2)."""
        seen = waves.value(points)
        return seen + self.noise * torch.randn(seen.shape, generator=generator), self.target(waves, points)


WAVE_TASKS: Mapping[str, WaveTask] = MappingProxyType(
    {
        "denoise": WaveTask("image without the noise", 1.0, Waves.value),
        "slope": WaveTask("length of the gradient", 0.0, Waves.slope),
    }
)


def lattice(side: int) -> Tensor:
    """Return the centres of the cells of an image, (side, side, 2)."""
    line = torch.arange(float(side))
    return torch.stack(torch.meshgrid(line, line, indexing="ij"), dim=-1)


def scatter(side: int, density: float, generator: torch.Generator) -> Tensor:
    """Return random points of an image, uniform in the plane, ``(density * side^2, 2)``."""
    return torch.rand(round(density * side**2), 2, generator=generator) * side - 0.5

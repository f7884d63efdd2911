"""A network of log-polar layers trained on images, and its run on scattered points with the same weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from rich.progress import track
from torch import Tensor, nn

from lightning_modules.point_experiments.waves import Waves, WaveTask, lattice
from lpsc_nd import LPSConv2d, LPSPointConv, Neighborhood
from lpsc_nd.geometry import BoundedPartition
from lpsc_nd.pooling.point_execute import Normalize

MARGIN = 8  # cells at the border that do not count: there a field reaches outside


def grid_network(width: int = 16) -> nn.Sequential:
    """Return two log-polar layers of 7 x 7 cells, and a linear layer after them."""

    def conv(channels: int) -> LPSConv2d:
        return LPSConv2d(channels, width, 7, padding=3, num_levels=2, num_directions=8, growth=2.0)

    return nn.Sequential(conv(1), nn.ReLU(), conv(width), nn.ReLU(), nn.Conv2d(width, 1, 1))


def train(task: WaveTask, side: int, steps: int, batch: int, seed: int) -> nn.Sequential:
    """Train the grid network on images of waves, ``batch`` new ones in each step."""
    torch.manual_seed(seed)
    network, generator = grid_network(), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in track(range(steps), description=f"training on grids: {task.title}"):
        image, target = grid_batch(task, side, batch, generator)
        loss = (inner(network(image)) - inner(target)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return network.eval()


def grid_batch(task: WaveTask, side: int, batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Return images and what is to be found in them, both (batch, 1, side, side)."""
    points = lattice(side)
    images = [task.draw(Waves(generator), points, generator) for _ in range(batch)]
    seen, target = (torch.stack(parts)[:, None] for parts in zip(*images, strict=True))
    return seen, target


def inner(image: Tensor) -> Tensor:
    """Cut the margin off."""
    return image[..., MARGIN:-MARGIN, MARGIN:-MARGIN]


def inside(positions: Tensor, side: int) -> Tensor:
    """Tell which points are so far from the border that no field reaches outside, ``(n,)`` bool."""
    return ((positions >= MARGIN) & (positions <= side - 1 - MARGIN)).all(dim=1)


@torch.no_grad()
def on_points(network: Iterable[nn.Module], values: Tensor, positions: Tensor, normalize: Normalize) -> Tensor:
    """Run a network of :func:`grid_network`'s kind on scattered points.

    Args:
        network: its layers in order.
        values: at the points, ``(n, 1)``.
        positions: of the points, in cells, ``(n, 2)``.
        normalize: what the mean of a region divides by.

    Raises:
        TypeError: a layer of a kind that has no twin on points here.
    """
    neighborhoods: dict[object, Neighborhood] = {}
    for layer in network:
        if isinstance(layer, LPSConv2d):
            twin = LPSPointConv.from_grid(layer, normalize)
            partition = cast(BoundedPartition, twin.partition)  # from_grid refuses any other
            if partition not in neighborhoods:
                neighborhoods[partition] = Neighborhood.build(partition, positions)
            values = twin(values, neighborhoods[partition])
        elif isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
            values = nn.functional.linear(values, layer.weight.flatten(1), layer.bias)
        elif isinstance(layer, nn.ReLU):
            values = layer(values)
        else:
            raise TypeError(f"layer must be an LPSConv2d, a 1 x 1 nn.Conv2d or nn.ReLU, got {type(layer).__name__}")
    return values


def relative_error(found: Tensor, target: Tensor) -> float:
    """Return the root mean square error in standard deviations of the target."""
    return float((found - target).square().mean().sqrt() / target.std())

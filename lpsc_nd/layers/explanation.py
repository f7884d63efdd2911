"""What a layer answers when asked how it would run an input."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lpsc_nd import _checks
from lpsc_nd.geometry import Reduction, Stencil
from lpsc_nd.pooling.dispatch import Choice, Engine, Problem, choose
from lpsc_nd.pooling.shapes import DERIVATIVES, PASSES, Derivatives, PassName
from lpsc_nd.pooling.window import Window

WORDS = ("forward", "forward and gradient of the parameters", "forward and backward")
"""One, two or three passes, in words."""


@dataclass(frozen=True)
class Explanation:
    """The engine that runs an input, why, and what the layer's field looks like.

    Args:
        choice: engine, reason and predicted costs.
        output_shape: shape of the result.
        stencil: the regions on the window.
        passes: the passes that the costs are for.
    """

    choice: Choice
    output_shape: tuple[int, ...]
    stencil: Stencil
    passes: tuple[PassName, ...] = PASSES

    @property
    def engine(self) -> str:
        """Name of the engine."""
        return self.choice.engine

    @property
    def reason(self) -> str:
        """Why this engine runs."""
        return self.choice.reason

    @property
    def costs(self) -> dict[str, float]:
        """Predicted seconds of all passes on the threads that PyTorch has, by engine, where the cost model decided."""
        return self.choice.costs

    def __str__(self) -> str:
        lines = [f"engine: {self.engine} ({self.reason})", f"output: {self.output_shape}"]
        passes = WORDS[len(self.passes) - 1]
        lines += [f"  {name}: about {cost * 1e3:.2f} ms {passes}" for name, cost in self.costs.items()]
        counts = self.stencil.counts
        fewest, most = (int(counts.min()), int(counts.max())) if counts.size else (0, 0)
        lines.append(
            f"window: {self.stencil.kernel_size}, {int(counts.sum())} of {self.stencil.num_cells} cells in "
            f"{self.stencil.num_regions} regions of {fewest} to {most} cells"
        )
        if self.stencil.empty_regions:
            lines.append(f"empty regions: {', '.join(map(str, self.stencil.empty_regions))}")
        return "\n".join(lines)


def explain(
    window: Window,
    in_channels: int,
    out_channels: int,
    groups: int,
    reduction: Reduction,
    engine: Engine,
    device: str,
    input_shape: Sequence[int],
    derivatives: Derivatives,
) -> Explanation:
    """Say which engine would run a layer on an input of this shape; see :meth:`LPSConvNd.explain`."""
    _checks.choice("derivatives", derivatives, DERIVATIVES)
    ndim, shape = window.ndim, tuple(_checks.integer("input_shape", extent, minimum=0) for extent in input_shape)
    batched = shape if len(shape) == ndim + 2 else (1, *shape)
    if len(batched) != ndim + 2 or batched[1] != in_channels:
        raise ValueError(f"input_shape must be ([B,] {in_channels}, {ndim} sizes), got {shape}")
    sites = window.output_size(batched[2:])
    if min(sites) < 1:
        raise ValueError(f"input_shape {shape} is smaller than the window, which spans {window.extent}")
    sizes = (batched[0], in_channels, out_channels, batched[2:], groups)
    problem = Problem(window, *sizes, reduction, device, derivatives)
    output = (*shape[: len(shape) - ndim - 1], out_channels, *sites)
    return Explanation(choose(problem, engine), output, window.stencil, problem.shapes.passes)

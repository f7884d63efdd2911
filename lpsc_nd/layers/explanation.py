"""What a layer answers when asked how it would run an input."""

from __future__ import annotations

from dataclasses import dataclass

from lpsc_nd.geometry import Stencil
from lpsc_nd.pooling.dispatch import Choice
from lpsc_nd.pooling.shapes import PASSES, PassName

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

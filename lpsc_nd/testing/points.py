"""Drawn neighbourhoods with data for point convolutions, and the right answer in plain loops."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from lpsc_nd.functional import lps_point_conv
from lpsc_nd.points import Neighborhood

Array = NDArray[Any]


@dataclass
class PointCase:
    """A neighbourhood, values, parameters, and keyword arguments of :func:`lpsc_nd.functional.lps_point_conv`.

    Args:
        neighborhood: sources per query and region.
        x: values of the sources, (S, C).
        parameters: "weight" (C', C / groups, R), and "center_weight" (C', C / groups) and "bias" (C',) where there are.
        options: "groups", "reduction", "normalize", "region_sizes".
    """

    neighborhood: Neighborhood
    x: Tensor
    parameters: dict[str, Tensor]
    options: dict[str, Any]

    @property
    def leaves(self) -> list[Tensor]:
        """Values and parameters, in order."""
        return [self.x, *self.parameters.values()]

    def to(self, dtype: torch.dtype) -> PointCase:
        """Return the case in another floating-point type, detached."""
        parameters = {name: value.detach().to(dtype) for name, value in self.parameters.items()}
        return PointCase(self.neighborhood, self.x.detach().to(dtype), parameters, self.options)

    def run(self, engine: Any = "auto") -> Tensor:
        """Convolve, (Q, C')."""
        arguments: dict[str, Any] = {**self.parameters, **self.options, "engine": engine}
        return lps_point_conv(self.x, self.neighborhood, **arguments)

    def run_and_differentiate(self, engine: Any = "auto") -> list[Tensor]:
        """Return the output and the gradients of all leaves for a fixed cotangent."""
        leaves = [leaf.requires_grad_() for leaf in self.leaves]
        y = self.run(engine)
        cotangent = torch.cos(torch.arange(y.numel(), dtype=torch.float64)).view_as(y).to(y)
        return [y, *torch.autograd.grad(y, leaves, cotangent)]


def random_neighborhood(
    counts: NDArray[np.int64], num_sources: int, generator: np.random.Generator, centers: Array | None = None
) -> Neighborhood:
    """Fill bags of the given sizes (Q, R) with random sources, duplicates among them; centres are drawn too, or -1."""
    indices = [np.sort(generator.integers(0, num_sources, count)) for count in counts.ravel()]
    if centers is None:
        centers = generator.integers(-1, num_sources, len(counts)) if num_sources else -np.ones(len(counts))
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return Neighborhood(
        _integers(indptr), _integers(np.concatenate([[], *indices])), _integers(centers), num_sources, counts.shape[1]
    )


def _integers(array: Array) -> Tensor:
    return torch.from_numpy(np.asarray(array).astype(np.int64))


def random_point_case(
    seed: int,
    counts: NDArray[np.int64],
    num_sources: int,
    channels: tuple[int, int],
    groups: int = 1,
    *,
    center: bool = True,
    bias: bool = True,
    dtype: torch.dtype = torch.float64,
    **options: Any,
) -> PointCase:
    """Draw everything but the sizes from a seed.

    Args:
        seed: of all random numbers.
        counts: sources of each query and region, (Q, R).
        num_sources: S.
        channels: C and C'.
        groups: groups of channels.
        center: whether the centre has a weight.
        bias: whether there is a bias.
        dtype: of values and parameters.
        **options: further arguments of ``lps_point_conv``.
    """
    generator = np.random.default_rng(seed)
    neighborhood = random_neighborhood(counts, num_sources, generator)
    inputs, outputs = channels

    def values(*shape: int) -> Tensor:
        return torch.from_numpy(generator.standard_normal(shape)).to(dtype)

    parameters = {"weight": values(outputs, inputs // groups, counts.shape[1])}
    if center:
        parameters["center_weight"] = values(outputs, inputs // groups)
    if bias:
        parameters["bias"] = values(outputs)
    return PointCase(neighborhood, values(num_sources, inputs), parameters, {"groups": groups, **options})


@st.composite
def point_cases(
    draw: st.DrawFn, reductions: Sequence[str] = ("mean", "sum"), dtype: torch.dtype = torch.float64
) -> PointCase:
    """Draw bags of 0 to 4 sources, also no queries and no sources at all, and everything that a call can be given.

    Args:
        draw: supplied by hypothesis.
        reductions: reductions to draw from.
        dtype: of values and parameters.
    """
    num_queries, num_sources, num_regions = draw(st.integers(0, 6)), draw(st.integers(0, 6)), draw(st.integers(1, 5))
    groups = draw(st.integers(1, 3))
    seed = draw(st.integers(0, 2**31))
    counts = np.random.default_rng(seed).integers(0, draw(st.sampled_from([1, 2, 5])), (num_queries, num_regions))
    if num_sources == 0:
        counts[:] = 0
    options: dict[str, Any] = {
        "reduction": draw(st.sampled_from(reductions)),
        "normalize": draw(st.sampled_from(["present", "grid"])),
    }
    if options["normalize"] == "grid":
        options["region_sizes"] = draw(st.lists(st.integers(0, 5), min_size=num_regions, max_size=num_regions))
    channels = (groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 3)))
    flags = {"center": draw(st.booleans()), "bias": draw(st.booleans())}
    return random_point_case(seed, counts, num_sources, channels, groups, **flags, dtype=dtype, **options)


def brute_force_point_conv(case: PointCase) -> Tensor:
    """Evaluate the sum over regions in loops, with nothing but numpy: (Q, C')."""
    links, x = case.neighborhood, case.x.detach().numpy()
    arrays = {name: value.detach().numpy() for name, value in case.parameters.items()}
    weight = arrays["weight"]
    outputs, inputs, num_regions = weight.shape
    indptr, indices, centers = (tensor.numpy() for tensor in (links.indptr, links.indices, links.centers))
    y = np.zeros((len(centers), outputs))
    for query, out in np.ndindex(*y.shape):
        first = out // (outputs // case.options["groups"]) * inputs
        for region, channel in np.ndindex(num_regions, inputs):
            bag = query * num_regions + region
            members = [x[source, first + channel] for source in indices[indptr[bag] : indptr[bag + 1]]]
            y[query, out] += weight[out, channel, region] * _reduced(members, case.options, region)
        for channel in range(inputs):
            if "center_weight" in arrays and centers[query] >= 0:
                y[query, out] += arrays["center_weight"][out, channel] * x[centers[query], first + channel]
        if "bias" in arrays:
            y[query, out] += arrays["bias"][out]
    return torch.from_numpy(y)


def _reduced(members: list[Any], options: dict[str, Any], region: int) -> Any:
    reduction = options.get("reduction", "mean")
    if not members:
        return 0.0
    if reduction == "max":
        return max(members)
    if reduction == "sum":
        return sum(members)
    sizes = options.get("region_sizes")
    return sum(members) / (len(members) if sizes is None else max(sizes[region], 1))

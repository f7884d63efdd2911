"""What our layer is timed against: convolutions of the same channels, and the matrix products it cannot do without."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from benchmarks.cases import Case
from lpsc_nd.layers.dense_twin import CONV_CLASSES, Conv
from lpsc_nd.pooling.dispatch import ENGINES, Engine
from lpsc_nd.pooling.product import product
from lpsc_nd.pooling.shapes import Derivatives

Pass = Literal["forward", "forward + backward"]
Layout = Literal["default", "channels last"]
Product = Callable[[Tensor, Tensor], Tensor]

DERIVATIVES: dict[Pass, Derivatives] = {"forward": "none", "forward + backward": "all"}
"""For what a pass has gradients."""

FORMATS: dict[int, torch.memory_format] = {2: torch.channels_last, 3: torch.channels_last_3d}
"""The channels-last memory format by number of axes; PyTorch has none for one axis."""


@dataclass(frozen=True)
class Contender:
    """Something that is timed.

    Args:
        operator: what it computes: "ours", "dense", "small", "dilated", "mm", "product" or "engine <name>".
        layout: the memory format of its input.
        forward: one forward pass.
        training: one forward and backward pass, with the gradients of the input and of all parameters.
    """

    operator: str
    layout: Layout
    forward: Callable[[], Tensor]
    training: Callable[[], object]

    @property
    def name(self) -> str:
        """Operator and layout."""
        return f"{self.operator}, {self.layout}"

    def call(self, part: Pass) -> Callable[[], object]:
        """Return what is to be timed."""
        return self.forward if part == "forward" else self.training


def contenders(case: Case, *, engines: bool = False) -> list[Contender]:
    """Build everything a case is timed with; on one input, in each memory format.

    Args:
        case: layer and input.
        engines: add every engine that can run the layer, forced by name.
    """
    layer = case.layer()
    modules: dict[str, nn.Module] = {"ours": layer, "dense": layer.to_conv(), "small": small_conv(case)}
    if not case.is_growth:
        modules["dilated"] = dilated_conv(case)
    x = torch.randn(case.input_shape)
    built = [conv_contender(name, module, x, layout) for name, module in modules.items() for layout in layouts(case)]
    if case.groups == 1 and not case.is_growth:
        built += floor_contenders(case)
    if engines:
        for name in engines_of(case):
            forced = case.layer(name)
            forced.load_state_dict(layer.state_dict())
            built.append(conv_contender(f"engine {name}", forced, x, "default"))
    return built


def layouts(case: Case) -> tuple[Layout, ...]:
    """Return the memory formats that PyTorch has for this many axes."""
    return ("default", "channels last") if case.ndim in FORMATS else ("default",)


def small_conv(case: Case) -> Conv:
    """Build the convolution of three cells along every axis."""
    return _conv(case, 3, 1)


def dilated_conv(case: Case) -> Conv:
    """Build the dilated convolution of about the same field and number of parameters.

    Its kernel size is the odd one whose number of cells is nearest to ours of weights, regions and centre; its dilation
    the one whose span is nearest to our window's, the smaller of two.
    """
    weights = case.layer().window.num_bags
    sizes = range(3, case.kernel_size + 1, 2)
    size = min(sizes, key=lambda k: abs(k**case.ndim - weights))
    dilation = math.ceil((case.kernel_size - 1) / (size - 1) - 0.5)
    return _conv(case, size, max(1, dilation))


def engines_of(case: Case) -> list[Engine]:
    """List the engines for sums that can run a case, the slow reference left out."""
    found: list[Engine] = []
    for name in ENGINES:
        if name in ("auto", "reference", "maximum"):
            continue
        try:
            case.layer(name)  # type: ignore[arg-type]
        except ValueError:
            continue
        found.append(name)  # type: ignore[arg-type]
    return found


def conv_contender(
    operator: str, module: nn.Module, x: Tensor, layout: Layout, *, input_gradient: bool = True
) -> Contender:
    """Wrap a convolution with an input of its own, whose gradient the backward pass has if it is asked for."""
    memory_format = torch.contiguous_format if layout == "default" else FORMATS[x.ndim - 2]
    own = copy.deepcopy(module).to(memory_format=memory_format)  # type: ignore[call-overload]
    x = x.to(memory_format=memory_format, copy=True).requires_grad_(input_gradient)
    inputs = [x, *own.parameters()] if input_gradient else list(own.parameters())
    gy: list[Tensor] = []

    def forward() -> Tensor:
        with torch.no_grad():
            return own(x)

    def training() -> object:
        y = own(x)
        if not gy:
            gy.append(torch.randn_like(y))
        return torch.autograd.grad(y, inputs, gy[0])

    return Contender(operator, layout, forward, training)


def floor_contenders(case: Case) -> list[Contender]:
    """Build the matrix products of the mixing, by ``torch.mm`` and by the project's own product.

    Forward (sites, weights C) by (weights C, C'); backward the product of the input gradient, (sites, weights C') by
    (weights C', C), and that of the weight gradient, (C', sites) by (sites, weights C).
    """
    window = case.layer().window
    sites = case.input_shape[0] * math.prod(window.output_size(case.input_shape[2:]))
    pooled = torch.randn(sites, window.num_bags * case.in_channels)
    weight = torch.randn(case.out_channels, pooled.shape[1])
    pooled_gy = torch.randn(sites, window.num_bags * case.out_channels)
    adjoint_weight = torch.randn(case.in_channels, pooled_gy.shape[1])
    gy = torch.randn(sites, case.out_channels)

    def contender(operator: str, multiply: Product) -> Contender:
        def forward() -> Tensor:
            return multiply(pooled, weight)

        def training() -> object:
            return multiply(pooled, weight), multiply(pooled_gy, adjoint_weight), multiply(gy.T, pooled.T)

        return Contender(operator, "default", forward, training)

    return [contender("mm", lambda left, right: torch.mm(left, right.T)), contender("product", product)]


def _conv(case: Case, size: int, dilation: int) -> Conv:
    padding = dilation * (size - 1) // 2
    return CONV_CLASSES[case.ndim](
        case.in_channels, case.out_channels, size, case.stride, padding, dilation, groups=case.groups
    )

"""Checks of an input against a layer, in the words of nn.Conv, before any engine sees it."""

from __future__ import annotations

from torch import Tensor

from lpsc_nd._checks import shape_text
from lpsc_nd.pooling.window import Window


def check_rank(x: Tensor, ndim: int) -> None:
    """Refuse an input that is neither (C, *size) nor (B, C, *size)."""
    if not isinstance(x, Tensor):
        raise TypeError(f"input must be a Tensor, got {type(x).__name__}")
    if x.ndim not in (ndim + 1, ndim + 2):
        raise RuntimeError(
            f"Expected {ndim + 1}D (unbatched) or {ndim + 2}D (batched) input to a {ndim}-D layer, "
            f"but got input of size: {shape_text(x.shape)}"
        )


def check_channels(x: Tensor, weight: Tensor, groups: int) -> None:
    """Refuse a batched input with another number of channels than the weight expects."""
    expected = weight.shape[1] * groups
    if x.shape[1] != expected:
        raise RuntimeError(
            f"Given groups={groups}, weight of size {shape_text(weight.shape)}, expected input{shape_text(x.shape)} "
            f"to have {expected} channels, but got {x.shape[1]} channels instead"
        )


def check_bias(weight: Tensor, bias: Tensor | None) -> None:
    """Refuse a bias that has not one number for each output channel."""
    if bias is not None and bias.shape != weight.shape[:1]:
        raise RuntimeError(
            f"Given weight of size {shape_text(weight.shape)}, expected bias to be 1-dimensional with "
            f"{weight.shape[0]} elements, but got bias of size {shape_text(bias.shape)} instead"
        )


def check_kind(x: Tensor, *, autocast: bool, **parameters: Tensor | None) -> None:
    """Refuse an input that is no floating-point tensor, or of another device or (outside autocast) dtype than these."""
    if not x.is_floating_point():
        raise RuntimeError(f"Input type ({x.dtype}) should be a floating-point type")
    for name, parameter in parameters.items():
        if parameter is None:
            continue
        if x.device != parameter.device:
            raise RuntimeError(
                f"Input is on {x.device} and {name} on {parameter.device}; both should be on the same device"
            )
        if x.dtype != parameter.dtype and not autocast:
            raise RuntimeError(f"Input type ({x.dtype}) and {name} type ({parameter.dtype}) should be the same")


def check_fits(size: tuple[int, ...], window: Window) -> None:
    """Refuse a window that is larger than the padded input."""
    padded = window.padded_size(size)
    if any(n < extent for n, extent in zip(padded, window.extent, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({_times(padded)}). Kernel size: ({_times(window.extent)}). "
            f"Kernel size can't be greater than actual input size"
        )


def _times(size: tuple[int, ...]) -> str:
    return " x ".join(str(n) for n in size)

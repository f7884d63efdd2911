"""Calls that repeat the last one of a layer, where what that was made of is kept.

A stem convolves a small batch for 0.15 ms, a layer of 16 channels runs for one or two. Checking the input, choosing an
engine and a way and finding the weights take 0.02 ms when they are repeated alone, and five times as long where sums
or other layers have been in the caches meanwhile. What they found for one input serves for the next of the same shape,
as long as the weights are, byte by byte, those that the dense kernel or the folded weights were made from.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from lpsc_nd.pooling import bags, depthwise
from lpsc_nd.pooling.decided import Decided, LastDecision, Parameters, Settings
from lpsc_nd.pooling.expand import CONVOLUTIONS, prepared, symmetric
from lpsc_nd.pooling.kept import Kept, find_folded, find_kernel
from lpsc_nd.pooling.layout import memory_format
from lpsc_nd.pooling.plain import is_plain, is_traced, is_watched

Run = Callable[[Tensor, Tensor | None], Tensor]
"""From input and bias to output, with everything else decided."""


class Call(NamedTuple):
    """A call that has been made, and what it was derived from.

    Args:
        settings: what the layer says.
        parameters: its weight, centre weight and bias.
        bias_shape: that of the bias, None if there is none.
        shape: that of the input.
        strides: those of the input.
        dtype: type of input, weights and bias.
        threads: how many PyTorch had.
        kept: what is kept of the weights: the values that it was made from.
        run: makes the call again.
    """

    settings: Settings
    parameters: Parameters
    bias_shape: torch.Size | None
    shape: torch.Size
    strides: tuple[int, ...]
    dtype: torch.dtype
    threads: int
    kept: Kept
    run: Run


class LastCall:
    """What a layer remembers of its last calls; copies and pickles of the layer begin without.

    Attributes:
        decision: what was decided for the last one with a graph.
    """

    __slots__ = ("_call", "decision")

    def __init__(self) -> None:
        self._call: Call | None = None
        self.decision = LastDecision()

    def answer(self, x: Tensor, parameters: Parameters, settings: Settings) -> Tensor | None:
        """Return the output, with a graph or without, if what is remembered serves for this call, else None."""
        if not torch.is_grad_enabled():
            return self.repeat(x, parameters, settings)
        run = None if is_traced() or is_watched() else self.decision.find(x, parameters, settings)
        return None if run is None else run(x, *parameters)

    def learn(self, x: Tensor, parameters: Parameters, settings: Settings, decided: Decided) -> None:
        """Remember a call that has been made outside of autocast.

        Args:
            x: the batched input as the engine had it.
            parameters: weight, centre weight and bias.
            settings: what the layer says.
            decided: what was run.
        """
        if torch.is_grad_enabled():
            plain = decided.name == "expand" and decided.whole is None
            of_engine = (decided.window, decided.groups, decided.reduction)
            ready = prepared(x, parameters[0], *of_engine) if plain else None
            self.decision.keep(x, parameters, settings, ready or decided)
        elif is_plain(x, *(parameter for parameter in parameters if parameter is not None)):
            self.remember(x, parameters, settings, decided)  # else the one before may come again, between other calls

    def repeat(self, x: Tensor, parameters: Parameters, settings: Settings) -> Tensor | None:
        """Return the output if this call is the last one again, on an input of other values, else None."""
        call = self._call
        if call is None or type(x) is not Tensor or not is_plain(x):
            return None
        if x.dtype != call.dtype or x.shape != call.shape or x.stride() != call.strides or settings != call.settings:
            return None
        weight, center_weight, bias = parameters
        before, center_before, bias_before = call.parameters
        if weight is not before or center_weight is not center_before or bias is not bias_before:
            return None
        if bias is not None and (bias.dtype != call.dtype or not bias.is_cpu or bias.shape != call.bias_shape):
            return None  # ``bias.data`` has been exchanged
        if torch.get_num_threads() != call.threads:  # another engine may be the faster one now
            return None
        if torch.is_autocast_enabled("cpu") or not call.kept.is_of(weight, center_weight):
            return None
        return call.run(x, bias)

    def remember(self, x: Tensor, parameters: Parameters, settings: Settings, decided: Decided) -> None:
        """Remember a call without a graph, if it is to be repeated so; arguments as for :meth:`learn`."""
        self._call = None
        if decided.whole is not None:  # its weights are divided, and nothing is kept of those
            return
        is_one = _is_one_convolution(x, len(parameters[0]), decided)
        found = (_find_convolution if is_one else _find_sums)(x, parameters[0], decided)
        if found is not None:
            of_x = (x.shape, x.stride(), x.dtype)
            bias_shape = None if parameters[2] is None else parameters[2].shape
            self._call = Call(settings, parameters, bias_shape, *of_x, torch.get_num_threads(), *found)

    def __deepcopy__(self, memo: dict[int, object]) -> LastCall:
        return LastCall()

    def __reduce__(self) -> tuple[type[LastCall], tuple[()]]:
        return LastCall, ()


def _find_convolution(x: Tensor, weight: Tensor, decided: Decided) -> tuple[Kept, Run] | None:
    """Return the dense convolution that was made, if its kernel is kept."""
    window, groups = decided.window, decided.groups
    kept = find_kernel(weight, window, decided.reduction, x.dtype)
    if kept is None:
        return None
    convolve, (_, padding) = CONVOLUTIONS[window.ndim], symmetric(x, window)
    with torch.inference_mode(False), torch.no_grad():  # in the format that the convolution would bring it to each time
        kernel = kept.made.contiguous(memory_format=memory_format(x))
    return kept, lambda x, bias: convolve(x, kernel, bias, window.stride, padding, window.dilation, groups)


def _find_sums(x: Tensor, weight: Tensor, decided: Decided) -> tuple[Kept, Run] | None:
    """Return the call of the bag engine that was made, if the folded weights are kept."""
    window, groups = decided.window, decided.groups
    if decided.name != "bags" or depthwise.suits(window, x.shape[1], len(weight), groups):
        return None
    kept = find_folded(weight, window, decided.reduction, x.dtype)
    if kept is None:
        return None
    run, folded = bags.forward_of(window, x.shape, len(weight), groups, x.device), kept.made
    return kept, lambda x, bias: run(x, folded, bias, window)


def _is_one_convolution(x: Tensor, out_channels: int, decided: Decided) -> bool:
    """Tell whether an engine hands its input to PyTorch's convolution as it is."""
    window = decided.window
    if not window.pads_evenly:
        return False
    if decided.name == "bags":
        return depthwise.takes_as_it_is(x, window, out_channels, decided.groups)
    return decided.name == "expand"

"""Calls that repeat the last one of a layer, where what that was made of is kept.

A stem convolves a small batch for 0.15 ms, a layer of 16 channels runs for one or two. Checking the input, choosing an
engine and a way and finding the weights take 0.02 ms when they are repeated alone, and five times as long where sums
or other layers have been in the caches meanwhile. What they found for one input serves for the next of the same shape,
as long as the weights are, byte by byte, those that the dense kernel or the folded weights were made from.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lpsc_nd.pooling import bag_layer, bags, depthwise
from lpsc_nd.pooling.decided import Answer, Decided, Parameters, Run, Settings, WithWeights, for_same_kind
from lpsc_nd.pooling.expand import CONVOLUTIONS, prepared, symmetric
from lpsc_nd.pooling.kept import Kept, find_folded, find_kernel
from lpsc_nd.pooling.layout import memory_format
from lpsc_nd.pooling.packed import packed_convolution
from lpsc_nd.pooling.plain import is_plain, is_plain_tensor, is_unobserved


class LastCall:
    """What a layer remembers of its last calls; copies and pickles of the layer begin without.

    Attributes:
        repeat: gives the output of a call without a graph if it is the last one again, on an input of other values,
            else None.
        repeat_graph: the same of a call with a graph, on parameters of other values as well.
    """

    __slots__ = ("repeat", "repeat_graph")

    def __init__(self) -> None:
        self.repeat: Answer = _nothing
        self.repeat_graph: Answer = _nothing

    def answer(self, x: Tensor, parameters: Sequence[Tensor | None], settings: Settings) -> Tensor | None:
        """Return the output, with a graph or without, if what is remembered serves for this call, else None."""
        return (self.repeat_graph if torch.is_grad_enabled() else self.repeat)(x, parameters, settings)

    def learn(self, x: Tensor, parameters: Parameters, settings: Settings, decided: Decided) -> None:
        """Remember a call that has been made outside of autocast.

        Args:
            x: the batched input as the engine had it.
            parameters: weight, centre weight and bias.
            settings: what the layer says.
            decided: what was run.
        """
        if torch.is_grad_enabled():
            self.repeat = _nothing  # which holds parameters, and a packed kernel that training would not use
            self.repeat_graph = for_same_kind(x, parameters, settings, _prepared(x, parameters, decided) or decided)
        elif is_plain(x, *(parameter for parameter in parameters if parameter is not None)):
            self.remember(x, parameters, settings, decided)  # else the one before may come again, between other calls

    def remember(self, x: Tensor, parameters: Parameters, settings: Settings, decided: Decided) -> None:
        """Remember a call without a graph, if it is to be repeated so; arguments as for :meth:`learn`."""
        self.repeat = _nothing
        if decided.whole is not None:  # its weights are divided, and nothing is kept of those
            return
        is_one = _is_one_convolution(x, len(parameters[0]), decided)
        found = (_find_convolution if is_one else _find_sums)(x, parameters[0], decided)
        if found is not None:
            self.repeat = for_same_weights(x, parameters, settings, *found)

    def __deepcopy__(self, memo: dict[int, object]) -> LastCall:
        return LastCall()

    def __reduce__(self) -> tuple[type[LastCall], tuple[()]]:
        return LastCall, ()


def _nothing(x: Tensor, parameters: Sequence[Tensor | None], settings: Settings) -> None:
    """Answer for a layer that remembers no call."""


def _prepared(x: Tensor, parameters: Parameters, decided: Decided) -> Run | None:
    """Return what runs a call with a graph and has all looked up before, if its engine has that."""
    of_engine = (decided.window, decided.groups, decided.reduction)
    if decided.whole is not None:  # weights are divided before
        return None
    if decided.name == "bags" and bag_layer.suits(x, parameters):
        return bag_layer.prepared(x, *of_engine)
    return prepared(x, parameters[0], *of_engine) if decided.name == "expand" else None


def for_same_weights(x: Tensor, parameters: Parameters, settings: Settings, kept: Kept, run: WithWeights) -> Answer:
    """Return what makes a call without a graph again, with the same weights, on an input of the same kind.

    It is one function, as each that is called costs microseconds where it has left the caches.

    Args:
        x: the input.
        parameters: weight, centre weight and bias.
        settings: what the layer says.
        kept: what is kept of the weights, with the values that it was made from.
        run: makes the call.
    """
    shape, strides, dtype, state = x.shape, x.stride(), x.dtype, _state()
    first_weight, first_center_weight, first_bias = parameters
    bias_shape = None if first_bias is None else first_bias.shape

    def repeat(x: Tensor, parameters: Sequence[Tensor | None], now: Settings) -> Tensor | None:
        if torch.is_grad_enabled() or not is_unobserved() or not is_plain_tensor(x):
            return None
        if x.dtype != dtype or x.shape != shape or x.stride() != strides:
            return None
        if now != settings or torch.is_autocast_enabled("cpu"):
            return None
        weight, center_weight, bias = parameters
        if weight is not first_weight or center_weight is not first_center_weight or bias is not first_bias:
            return None
        if bias is not None and (bias.dtype != dtype or not bias.is_cpu or bias.shape != bias_shape):
            return None  # ``bias.data`` has been exchanged
        if weight is None or _state() != state or not kept.is_of(weight, center_weight):
            return None
        return run(x, bias)

    return repeat


def _state() -> tuple[int, bool, int]:
    """Return what a call depends on: PyTorch's threads, its use of oneDNN, and modes that see what is called."""
    return torch.get_num_threads(), torch._C._get_mkldnn_enabled(), torch._C._len_torch_function_stack()


def _find_convolution(x: Tensor, weight: Tensor, decided: Decided) -> tuple[Kept, WithWeights] | None:
    """Return the dense convolution that was made, if its kernel is kept."""
    window, groups = decided.window, decided.groups
    kept = find_kernel(weight, window, decided.reduction, x.dtype)
    if kept is None:
        return None
    how = (window.stride, symmetric(x, window)[1], window.dilation, groups)
    with torch.inference_mode(False), torch.no_grad():  # in the format that the convolution would bring it to each time
        kernel = kept.made.contiguous(memory_format=memory_format(x))
        packed = packed_convolution(x, kernel, *how)
    convolve = CONVOLUTIONS[window.ndim]
    return kept, packed or (lambda x, bias: convolve(x, kernel, bias, *how))


def _find_sums(x: Tensor, weight: Tensor, decided: Decided) -> tuple[Kept, WithWeights] | None:
    """Return the call of the bag engine that was made, if the folded weights are kept."""
    window, groups = decided.window, decided.groups
    if decided.name != "bags" or depthwise.suits(window, x.shape[1], len(weight), groups, *depthwise.kind(x)):
        return None
    kept = find_folded(weight, window, decided.reduction, x.dtype)
    if kept is None:
        return None
    with torch.inference_mode(False), torch.no_grad():
        return kept, bags.with_weights(x, kept.made, window, groups)


def _is_one_convolution(x: Tensor, out_channels: int, decided: Decided) -> bool:
    """Tell whether an engine hands its input to PyTorch's convolution as it is."""
    window = decided.window
    if not window.pads_evenly:
        return False
    if decided.name == "bags":
        return depthwise.takes_as_it_is(x, window, out_channels, decided.groups)
    return decided.name == "expand"

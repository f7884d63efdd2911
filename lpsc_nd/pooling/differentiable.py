"""Calls of operators that somebody differentiates, and what their derivatives have in common.

Each operator has an ``autograd.Function`` with its rules. Eager code calls that, which torch.func needs for forward
mode and vmap; a compiled graph calls the operator, which dynamo keeps whole, and which carries the same rule of the
reverse mode.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from lpsc_nd.pooling.operator import Operator
from lpsc_nd.pooling.plain import is_transformed

Gradients = tuple[Tensor | None, ...]
"""One for each argument, None where it has none or nobody asks."""


def call(operator: Operator, function: type[Function], *arguments: Any) -> Any:
    """Call an operator, or its function where eager code differentiates."""
    if torch.compiler.is_compiling():
        return operator(*arguments)
    if operator.has_nothing_to_do(*arguments):
        return operator.run(*arguments)
    if not is_transformed():
        return in_one_step(function).apply(*arguments)
    return function.apply(*(Numbers(argument) if isinstance(argument, list) else argument for argument in arguments))


class Numbers(tuple[Any, ...]):
    """Numbers that are one argument to ``torch.func``, whose rules for vmap and forward mode disagree about lists."""


@lru_cache(maxsize=64)
def in_one_step(function: type[Function]) -> type[Function]:
    """Return a function whose ``forward`` sets the context as well, for calls that no torch.func transform sees.

    The transforms ask for a ``setup_context`` of its own, and where there is one, ``apply`` inspects the signature of
    ``forward`` in every call: 0.01 ms, in cold caches 0.05.
    """

    def forward(ctx: Any, *arguments: Any) -> Any:
        output = function.forward(*arguments)
        function.setup_context(ctx, arguments, output)
        return output

    members = {"forward": staticmethod(forward), "setup_context": staticmethod(Function.setup_context)}
    return type(function.__name__, (function,), members)


def register(operator: Operator, function: type[Function]) -> None:
    """Give an operator the reverse rule of its function."""
    operator.registered.register_autograd(function.backward, setup_context=function.setup_context)


def add(first: Tensor | None, second: Tensor | None) -> Tensor | None:
    """Add two derivatives, of which either may be nothing."""
    if first is None or second is None:
        return second if first is None else first
    return first + second

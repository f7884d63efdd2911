"""Functions as PyTorch operators, which are gone round where nobody needs one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.library import custom_op

from lpsc_nd.pooling.plain import is_plain


class Operator:
    """A function of tensors, and the operator that is registered with PyTorch for it.

    A registered operator is one opaque node of a traced graph and has rules for autograd and vmap; to call it from
    Python takes 0.2 ms. A call in which nobody traces, batches or differentiates (any more, as within an
    ``autograd.Function``) goes to the function itself.

    Args:
        name: namespace and name.
        schema: arguments and result.
        run: the function.
    """

    def __init__(self, name: str, schema: str, run: Callable[..., Any]) -> None:
        self.run = run
        self.registered = custom_op(name, run, mutates_args=(), schema=schema)
        self.__doc__ = run.__doc__

    def __call__(self, *arguments: Any) -> Any:
        """Call the function, or the operator if it has something to do."""
        return self.run(*arguments) if self.has_nothing_to_do(*arguments) else self.registered(*arguments)

    @staticmethod
    def has_nothing_to_do(*arguments: Any) -> bool:
        """Tell whether a call needs nothing but numbers."""
        return is_plain(*(argument for argument in arguments if isinstance(argument, Tensor)))


def operator(name: str, schema: str) -> Callable[[Callable[..., Any]], Operator]:
    """Return the decorator that makes an :class:`Operator` of a function."""
    return lambda run: Operator(name, schema, run)

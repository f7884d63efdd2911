"""Whether a call needs nothing but numbers, so that an engine may run without the operator around it."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.utils._python_dispatch import is_in_torch_dispatch_mode


def is_plain(*tensors: Tensor) -> bool:
    """Tell whether nobody differentiates, traces, batches or watches a computation on these tensors.

    Calling an operator from Python costs a tenth of a millisecond or two, which small inputs feel.
    """
    return (
        not torch.is_grad_enabled()
        and not torch.compiler.is_compiling()
        and is_unobserved()
        and all(map(is_plain_tensor, tensors))
    )


def is_unobserved() -> bool:
    """Tell whether, beside autograd and dynamo, nobody differentiates, traces, batches or watches."""
    return (
        torch._C._get_tracing_state() is None
        and not torch._C._are_functorch_transforms_active()
        and not is_in_torch_dispatch_mode()
        and forward_ad._current_level < 0  # as is_dual asks
    )


def is_traced() -> bool:
    """Tell whether a graph is recorded, by dynamo or by ``torch.jit.trace``, that will serve other values and sizes."""
    return torch.compiler.is_compiling() or torch._C._get_tracing_state() is not None


def has_symbols(sizes: Iterable[int]) -> bool:
    """Tell whether some sizes are symbols, which a dispatch mode records (``make_fx``), and no numbers to be kept."""
    return not is_traced() and is_watched() and any(isinstance(size, torch.SymInt) for size in sizes)


def is_exported(sizes: Iterable[int]) -> bool:
    """Tell whether a graph is to be all PyTorch's own: by ``torch.export`` or ``torch.jit.trace``, or of symbols."""
    return torch.compiler.is_exporting() if torch.compiler.is_compiling() else is_traced() or has_symbols(sizes)


def is_watched() -> bool:
    """Tell whether a dispatch mode sees every operator, as of fake tensors or of a counter."""
    return is_in_torch_dispatch_mode()


def is_transformed() -> bool:
    """Tell whether ``torch.func`` batches or differentiates."""
    return torch._C._are_functorch_transforms_active()


def is_dual() -> bool:
    """Tell whether tensors may carry a tangent, of PyTorch's forward mode."""
    return forward_ad._current_level >= 0


def is_plain_tensor(tensor: Tensor) -> bool:
    """Tell whether a tensor is on the CPU and has nothing of its own."""
    return is_ordinary(tensor) and tensor.is_cpu


def is_ordinary(tensor: Tensor) -> bool:
    """Tell whether a tensor is PyTorch's own, and no batch of ``torch.autograd.grad(is_grads_batched)``."""
    return type(tensor) in (Tensor, nn.Parameter) and not torch._C._functorch.is_legacy_batchedtensor(tensor)

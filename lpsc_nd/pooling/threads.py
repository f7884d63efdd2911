"""What changes where PyTorch has several threads: products of the BLAS are shared out, and more is done at once.

PyTorch transposes a matrix in blocks, on one thread; several do it element by element.

MKL splits one product of few columns badly: (8192, 832) by (832, 64) takes 5.5 ms on one thread of a Xeon and 3.6 on
two. As a batch of products, one for each thread, it takes 2.8. Rows are shared out where rows of the result are
written, columns where one small result is added up over many products, so that no sum is split.
"""

from __future__ import annotations

import torch
from torch import Tensor

from lpsc_nd.pooling.processor import is_avx2_at_most, is_intel
from lpsc_nd.pooling.rates import RATES


def threads_now() -> int:
    """Return how many threads PyTorch has; one while a graph is traced, which may run on any number."""
    return 1 if torch.compiler.is_compiling() else torch.get_num_threads()


def larger(elements: int, times: int) -> int:
    """Return a size of what is worked on at once: so many times as large where threads share it.

    Each call of an operator begins and ends with all threads together, so fewer and longer calls are better. It was
    measured on Intel's processors and with AVX2; elsewhere the size stays.
    """
    return times * elements if torch.get_num_threads() > 1 and (is_intel() or is_avx2_at_most()) else elements


def transposes_in_blocks() -> bool:
    """Tell whether a matrix is transposed sooner in blocks, by one thread, than element by element, by all.

    A (128, 3072) one takes 0.39 ms in blocks on a Xeon, and 0.64 on one thread or 0.28 on two element by element; with
    AVX2 0.9, 2.2 and 1.1, which three threads would outdo.
    """
    return torch.get_num_threads() <= RATES.elementwise


def multiply_into(out: Tensor, left: Tensor, right: Tensor, bias: Tensor | None = None) -> None:
    """Write ``left @ right + bias``: (m, n), (m, k), (k, n), (n,); the rows of ``out`` are contiguous."""
    whole, parts = _shared_rows(out, left)
    if parts > 1:
        products = (left[:whole].unflatten(0, (parts, -1)), right.expand(parts, *right.shape))
        target = out[:whole].view(parts, -1, out.shape[1])
        if bias is None:
            torch.bmm(*products, out=target)
        else:
            torch.baddbmm(bias, *products, out=target)
        out, left = out[whole:], left[whole:]
    if out.shape[0] > 0:
        multiply_whole(out, left, right, bias)


def multiply_whole(out: Tensor, left: Tensor, right: Tensor, bias: Tensor | None) -> None:
    """Write the same as one product of the BLAS."""
    if bias is None:
        torch.mm(left, right, out=out)
    else:
        torch.addmm(bias, left, right, out=out)


def add_into(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add ``left @ right`` to ``total``: (m, n), (m, k), (k, n)."""
    whole, parts = _shared_rows(total, left)
    if parts > 1:
        target = total[:whole].view(parts, -1, total.shape[1])
        target.baddbmm_(left[:whole].unflatten(0, (parts, -1)), right.expand(parts, *right.shape))
        total, left = total[whole:], left[whole:]
    if total.shape[0] > 0:
        total.addmm_(left, right)


def equal_parts(number: int, threads: int) -> int:
    """Return into how many equal parts a number of things is shared out: the most that there are threads for."""
    return next(parts for parts in range(threads, 0, -1) if number % parts == 0)


def add_into_columns(total: Tensor, left: Tensor, right: Tensor) -> None:
    """Add ``left @ right`` to a matrix whose columns lie in parts: (parts, m, n / parts), (m, k), (k, n)."""
    parts = total.shape[0]
    if parts == 1:
        total[0].addmm_(left, right)
    else:
        total.baddbmm_(left.expand(parts, *left.shape), right.view(-1, parts, right.shape[1] // parts).transpose(0, 1))


def _shared_rows(out: Tensor, left: Tensor) -> tuple[int, int]:
    """Return how many rows are shared out, and into how many equal parts."""
    parts = torch.get_num_threads()
    if parts == 1 or not out.is_cpu or not out.is_contiguous() or left.shape[1] == 0:
        return 0, 1
    rows = left.shape[0] // parts * parts
    return (rows, parts) if rows > 0 else (0, 1)

"""How fast the parts of an engine are: measured on one thread of four processors, with PyTorch 2.13.

For the choice between engines only their ratios matter. ``python -m benchmarks.calibrate`` fits them to a machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from lpsc_nd.pooling.processor import is_avx2_at_most, is_intel, is_zen4

NEAR_WEIGHTS = 2**18
"""Weights that the second-level cache holds beside the tables: one MiB in float32."""


@dataclass(frozen=True)
class Rates:
    """Measured speeds of the parts; per second unless said otherwise.

    Args:
        dense: floating-point operations of PyTorch's convolution.
        dense_wide: the same where the kernel is wider than ``widest_fast`` cells on the last axis.
        widest_fast: widest kernel that PyTorch's fast convolution takes.
        full_wide_channels: output channels from which ``dense_wide`` is reached.
        dense_own: floating-point operations of PyTorch's own convolution, without oneDNN, in planes and lines.
        dense_own_volume: the same in volumes.
        widest_own: widest kernel, on the last two axes, that one small image is convolved with so.
        largest_own: elements, counted on the first two axes alone, of the largest small image.
        dense_depthwise: multiply-adds of PyTorch's depthwise convolution, channels last.
        expansion: weights written into the dense kernel.
        dense_call: seconds that PyTorch's convolution takes however small it is, and the writing of its kernel as well.
        passed: values read from the input or written to the output.
        joined: values of two outputs that are copied to one; on an EPYC of family 25 a third of that in channels last.
        product: floating-point operations of a pooled tile times the weights.
        product_side: the same as a convolution, where several images stand side by side.
        product_overhead: rows of a product that cost as much as its fixed part.
        weighted: sums multiplied by the weights of their own channel, and added up.
        tabled: values copied into the padded table.
        pooled: values summed into bags.
        pooled_near: the same where a site reads every cell by itself, each row taking at least ``row``.
        pooled_side: the same where several images stand side by side in a row.
        pooled_across: the same where a row holds one channel of several images.
        pooled_far: the same where every cell has a row for each bag.
        transposed: values whose images are brought innermost or outermost, by one thread for all.
        elementwise: how many times as long that takes all threads together, element by element; it is the faster way
            where there are more threads than this.
        row: seconds that a row of a bag takes beside its values.
        entry: seconds that an entry of a gather index takes beside its row where the index exceeds the caches.
        vector: channels below which the processor's vectors are not filled: those of the table's rows, and those that
            PyTorch's convolution writes.
        image: seconds that an image takes beside its work where it is mixed first.
        product_call: seconds that a product takes however small it is.
        vector_tabled: seconds in which a compiled kernel writes a vector into a table.
        kernel_passed: values that a compiled kernel reads from its input, or writes to its output.
        tap: seconds in which a compiled kernel adds a vector from a table, beside a product where it can.
        tap_weighted: the same where it is weighted as well.
        compiled: floating-point operations of a compiled kernel's product.
        weights_read: weights that a product reads where the second-level cache does not hold them.
        compiled_call: seconds that a compiled pass takes however small its input is.
        call: seconds that a call of the bag engine takes however small its input is.
        slack: time of the bag engine beyond its parts (memory it allocates), as a factor.
        slack_whole: the same where it runs whole images.
    """

    dense: float = 2.0e11
    dense_wide: float = 1.1e11
    widest_fast: int = 14
    full_wide_channels: int = 48
    dense_own: float = 7.0e10
    dense_own_volume: float = 2.5e10
    widest_own: int = 3
    largest_own: int = 20480
    dense_depthwise: float = 8.3e10
    expansion: float = 3.0e8
    dense_call: float = 1.0e-5
    passed: float = 2.5e9
    joined: float = 5.0e8
    product: float = 1.8e11
    product_side: float = 1.1e11
    product_overhead: int = 32
    weighted: float = 1.2e10
    tabled: float = 1.3e9
    pooled: float = 1.8e10
    pooled_near: float = 2.2e10
    pooled_side: float = 3.0e10
    pooled_across: float = 1.8e10
    pooled_far: float = 7.0e9
    transposed: float = 1.7e9
    elementwise: float = 2.4
    row: float = 0.9e-9
    entry: float = 0.5e-9
    vector: int = 16
    image: float = 2.0e-5
    product_call: float = 8.0e-6
    vector_tabled: float = 1.3e-9
    kernel_passed: float = 8.0e9
    tap: float = 0.15e-9
    tap_weighted: float = 0.25e-9
    compiled: float = 1.8e11
    weights_read: float = 3.0e9
    compiled_call: float = 3.0e-5
    call: float = 2.2e-4
    slack: float = 1.2
    slack_whole: float = 1.1

    def reading(self, weights: int) -> float:
        """Return the seconds in which a product reads weights that the second-level cache does not hold."""
        return weights / self.weights_read if weights > NEAR_WEIGHTS else 0.0

    def filling(self, columns: int) -> float:
        """Return how many times as long a product takes as its columns do in full vectors."""
        return -(-max(columns, 1) // self.vector) * self.vector / max(columns, 1)


AMD = Rates()
"""An EPYC of family 26; images side by side were not measured there, and their rates keep them from being chosen.

Compiled kernels were measured on an EPYC of family 25, model 17, their rates brought into proportion to the other's.
"""

ZEN4 = Rates(
    dense=1.2e11,
    dense_own_volume=1.8e10,
    dense_depthwise=3.5e10,
    expansion=6.0e8,
    dense_call=2.7e-5,
    passed=3.3e9,
    product=1.0e11,
    product_side=6.6e10,
    weighted=1.5e9,
    tabled=7.6e9,
    pooled=1.6e10,
    pooled_near=2.1e10,
    pooled_side=2.6e10,
    pooled_across=4.6e9,
    pooled_far=8.1e9,
    transposed=4.0e9,
    row=1.6e-9,
    entry=0.24e-9,
    image=3.9e-5,
    vector_tabled=3.3e-9,
    kernel_passed=2.9e9,
    tap=0.25e-9,
    tap_weighted=0.46e-9,
    compiled=1.1e11,
    weights_read=1.7e9,
    compiled_call=8.4e-5,
    call=1.7e-4,
)
"""An EPYC of family 25, model 17, with AVX-512: what ``benchmarks.calibrate`` fitted on one thread.

Predictions are off by a factor of 1.06 in the middle. ``weighted`` was set by depthwise layers without kernels; what is
not named is as above.
"""

INTEL = Rates(
    dense=1.8e11,
    dense_depthwise=5.9e10,
    product=1.6e11,
    product_side=9.3e10,
    weighted=5.6e9,
    pooled=1.2e10,
    pooled_near=1.6e10,
    pooled_side=1.7e10,
    pooled_across=1.2e10,
    transposed=1.0e9,
    elementwise=1.6,
    row=2.2e-9,
    kernel_passed=2.5e9,
    tap=0.2e-9,
    tap_weighted=0.35e-9,
    slack_whole=1.03,
)
"""Xeons of family 6, model 207, and 167 for transposing and compiled kernels; what is not named was taken as above.

The kernels measured there did not yet sum beside products.
"""

AVX2 = Rates(
    dense=9.7e10,
    dense_wide=4.0e10,
    dense_own=3.5e10,
    dense_own_volume=1.9e10,
    dense_depthwise=2.2e10,
    expansion=6.1e8,
    dense_call=2.6e-5,
    passed=7.8e9,
    product=1.0e11,
    product_side=7.2e10,
    weighted=5.0e9,
    tabled=4.8e9,
    pooled=9.6e9,
    pooled_near=1.9e10,
    pooled_side=3.1e10,
    pooled_across=6.6e9,
    pooled_far=7.4e9,
    transposed=3.3e9,
    row=1.2e-9,
    entry=0.41e-9,
    vector=8,
    image=4.4e-5,
    vector_tabled=2.6e-9,
    kernel_passed=2.8e9,
    tap=0.22e-9,
    tap_weighted=0.21e-9,
    compiled=1.1e11,
    weights_read=1.1e9,
    compiled_call=4.1e-5,
    call=1.6e-4,
    slack=1.1,
    slack_whole=1.1,
)
"""The same processor, whose AVX-512 was not to be used; what is not named was taken to be as above.

Fitted in the same way: predictions are off by a factor of 1.09 in the middle.
"""


def rates_here() -> Rates:
    """Return the rates for this processor and the instructions that PyTorch uses."""
    if is_intel():
        return INTEL
    if is_avx2_at_most():
        return AVX2
    return ZEN4 if is_zen4() else AMD


RATES = rates_here()

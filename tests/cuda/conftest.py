"""What runs on a GPU gives the numbers of the CPU; without a GPU these tests are skipped."""

from collections.abc import Iterator

import pytest
import torch


@pytest.fixture(scope="module", autouse=True)
def _gpu_in_full_precision() -> Iterator[None]:
    """Need a GPU, and keep its convolutions from computing in TF32."""
    if not torch.cuda.is_available():
        pytest.skip("needs a GPU that PyTorch can use")
    with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
        yield

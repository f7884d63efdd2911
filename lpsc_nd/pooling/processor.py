"""What kind of processor this is, where engines differ by it."""

from __future__ import annotations

import torch


def is_intel() -> bool:
    """Tell whether the processor is Intel's, as far as PyTorch says so."""
    tell = getattr(torch.cpu, "get_capabilities", None)
    return tell is not None and str(tell().get("cpu_name", "")).startswith("Intel")


def is_avx2_at_most() -> bool:
    """Tell whether PyTorch uses the instructions of AVX2 here, as it does where there is no AVX-512."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"

"""What kind of processor this is, where engines differ by it."""

from __future__ import annotations

from typing import Any

import torch


def is_intel() -> bool:
    """Tell whether the processor is Intel's, as far as PyTorch says so."""
    return str(_capabilities().get("cpu_name", "")).startswith("Intel")


def is_zen4() -> bool:
    """Tell whether the processor is AMD's with AVX-512 on units of 256 bits; those of 512 came with AVX-VNNI."""
    found = _capabilities()
    is_amd = str(found.get("cpu_name", "")).startswith("AMD")
    return is_amd and bool(found.get("avx512_f")) and not found.get("avx_vnni")


def is_avx2_at_most() -> bool:
    """Tell whether PyTorch uses the instructions of AVX2 here, as it does where there is no AVX-512."""
    return torch.backends.cpu.get_cpu_capability() == "AVX2"


def _capabilities() -> dict[str, Any]:
    tell = getattr(torch.cpu, "get_capabilities", None)
    return {} if tell is None else tell()

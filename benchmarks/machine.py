"""What the measurements were made on: processor, caches and libraries, no names or places."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import torch

from lpsc_nd import __version__
from lpsc_nd.native.library import kernels

CPUINFO = Path("/proc/cpuinfo")
CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
UNKNOWN = "unknown"


@dataclass(frozen=True)
class Machine:
    """A description of the machine.

    Args:
        facts: what is known, by name.
        slug: a name for a folder.
    """

    facts: Mapping[str, str]
    slug: str


def describe(threads: int) -> Machine:
    """Describe this machine, used with so many threads."""
    info = processor_info(CPUINFO.read_text() if CPUINFO.exists() else "")
    model = info.get("model name") or platform.processor() or platform.machine() or UNKNOWN
    capability = torch.backends.cpu.get_cpu_capability()
    cores, found_kernels = os.cpu_count() or 1, kernels()
    configuration = torch.__config__.show()
    facts = {
        "processor": f"{model} (family {info.get('cpu family', '?')}, model {info.get('model', '?')})",
        "cores": str(cores),
        "caches of a core": caches(CACHES),
        "instructions PyTorch uses": capability,
        "compiled kernels": f"vectors of {found_kernels.vector_bytes} bytes" if found_kernels else "none",
        "threads": str(threads),
        "load when started": load(),
        "lpsc_nd": __version__,
        "PyTorch": torch.__version__,
        "BLAS": found(r"BLAS_INFO=(\w+)", configuration),
        "MKL": found(r"Math Kernel Library Version ([\w.-]+)", configuration),
        "oneDNN": found(r"MKL-DNN v([\d.]+)", configuration),
        "Python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": datetime.now(timezone.utc).date().isoformat(),
    }
    kind = f"{info.get('cpu family', '')} {info.get('model', '')}"  # Xeons of all generations may have one name
    used = f"{cores} cores {capability} {threads} thread{'s' if threads > 1 else ''}"
    return Machine(facts, slugify(f"{model} {kind} {used}"))


def processor_info(text: str) -> dict[str, str]:
    """Return the entries of the first processor in the text of ``/proc/cpuinfo``."""
    first, _, _ = text.partition("\n\n")
    pairs = (line.partition(":") for line in first.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def caches(folder: Path) -> str:
    """Return levels, types and sizes of the caches that a folder of the system describes."""
    described = [
        f"L{(index / 'level').read_text().strip()} {(index / 'type').read_text().strip().lower()} "
        f"{(index / 'size').read_text().strip()}"
        for index in sorted(folder.glob("index*"))
    ]
    return ", ".join(described) or UNKNOWN


def load() -> str:
    """Return the mean number of running processes over the last minute, where the system tells it."""
    return f"{os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else UNKNOWN


def found(pattern: str, text: str) -> str:
    """Return the first group of a pattern in a text."""
    match = re.search(pattern, text)
    return match[1] if match else UNKNOWN


def slugify(text: str) -> str:
    """Return lower-case letters and digits with single hyphens between words."""
    plain = re.sub(r"\((R|TM)\)", "", text, flags=re.IGNORECASE)
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")

"""How much memory there is, and an error in time when a neighbourhood would need more."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

BYTES_PER_PAIR = 24
"""Keys of all blocks, the same in one piece, and room to sort."""
BYTES_PER_BAG = 24
"""Counts, their running sum, and its copy."""
CAUTION = 0.8
"""The suggested radius stays below the computed one: neighbours grow more slowly at the rim of a cloud."""

_CONTROL_GROUP = Path("/sys/fs/cgroup")


def available() -> int | None:
    """Return the bytes that can be taken without swapping, within the control group's limit; None if unknown."""
    amounts = [amount for amount in (_free(), _left_to_group()) if amount is not None]
    return min(amounts, default=None)


@dataclass(frozen=True)
class Budget:
    """What a neighbourhood may take.

    Args:
        bags: queries times regions.
        radius: of the field; a smaller one is suggested.
        ndim: number of axes: the neighbours shrink with radius^ndim.
    """

    bags: int
    radius: float
    ndim: int

    def check(self, pairs: float) -> None:
        """Refuse a neighbourhood of so many neighbours if it does not fit.

        Raises:
            MemoryError: with its size, the memory available, and a radius that fits.
        """
        limit = available()
        fixed = self.bags * BYTES_PER_BAG
        needed = fixed + pairs * BYTES_PER_PAIR
        if limit is None or needed <= limit:
            return
        advice = "fewer queries or regions are needed"
        if limit > fixed:
            radius = CAUTION * self.radius * ((limit - fixed) / (pairs * BYTES_PER_PAIR)) ** (1 / self.ndim)
            advice = f"a field of radius {radius:.3g} instead of {self.radius:.3g} should fit, or max_neighbors"
        raise MemoryError(
            f"a neighborhood of about {pairs:.3g} neighbours in {self.bags:.3g} bags needs about "
            f"{needed / 2**30:.3g} GiB, and {limit / 2**30:.3g} GiB are available; {advice}"
        )


def _free() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _left_to_group() -> int | None:
    try:
        limit = (_CONTROL_GROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((_CONTROL_GROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return None if limit == "max" else max(int(limit) - used, 0)

"""Runs a module of this package in a process of its own, which starts with clean memory and can be stopped."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent


def run_apart(
    module: str, *arguments: object, seconds: float | None = None, environment: Mapping[str, str] | None = None
) -> str | None:
    """Return what ``python -m module arguments`` prints, or None if it was stopped for taking longer than ``seconds``.

    Raises:
        RuntimeError: the process failed; with the end of what it wrote.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        raise RuntimeError(f"{module} {' '.join(map(str, arguments))} failed: {done.stderr[-2000:]}")
    return done.stdout

"""Writing a file so that it is there as a whole or not at all."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def write_whole(path: str | os.PathLike[str], pieces: Iterable[Any]) -> None:
    """Write bytes-like pieces to a file beside ``path``, then rename it: ``path`` is the old file or the whole new one.

    Several processes may write the same path at once; each writes a file of its own, and the last rename stays.
    """
    target = Path(path)
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        with draft.open("xb") as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)

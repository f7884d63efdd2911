"""Writing files so that they are there as a whole or not at all."""

from __future__ import annotations

import csv
import io
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
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


def write_csv(path: str | os.PathLike[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows under the first one's keys; no rows give an empty file. A failure leaves ``path`` as it was.

    Missing folders are made.
    """
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, _csv_lines(iter(rows)))


def _csv_lines(rows: Iterator[Mapping[str, Any]]) -> Iterator[bytes]:
    first = next(rows, None)
    if first is None:
        return
    buffer = io.StringIO(newline="")
    writer = csv.DictWriter(buffer, fieldnames=list(first))
    writer.writeheader()
    for row in chain([first], rows):
        writer.writerow(row)
        yield buffer.getvalue().encode()
        buffer.seek(0)
        buffer.truncate()

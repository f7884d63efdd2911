"""Pyramids that were built before, on disk."""

from __future__ import annotations

import hashlib
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from lpsc_nd.points import checks
from lpsc_nd.points.pyramid import PointPyramid
from lpsc_nd.points.pyramid_building import PyramidBuilder
from lpsc_nd.points.pyramid_storage import VERSION

BUILDING = 1
"""To be raised whenever the same points and builder give another pyramid than before."""


class CachedPyramids:
    """A builder that keeps what it built in a folder: one file for each set of points.

    A file's name is a hash of the points, the batch vector, the builder and the version of the format, so a change of
    any of them builds anew and nothing has to be cleared. Any number of processes may use a folder at once, as files
    appear whole. One that was damaged since is built and written again, with a warning. Random transforms before it
    make new points, and so new files, every time: leave those clouds to the builder.

    Args:
        builder: what to call for points not seen before.
        folder: where the files are; made if it is missing.

    Raises:
        TypeError: ``builder`` is no :class:`PyramidBuilder`, whose values tell what it builds.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cached = CachedPyramids(PyramidBuilder(0.5, depth=1), folder)
    ...     cached([[0.0, 0.0, 0.0]]) == cached([[0.0, 0.0, 0.0]])
    True
    """

    def __init__(self, builder: PyramidBuilder, folder: str | os.PathLike[str]) -> None:
        if not isinstance(builder, PyramidBuilder):
            raise TypeError(f"builder must be a PyramidBuilder, got {type(builder).__name__}")
        self.builder = builder
        self.folder = Path(folder)

    def __call__(self, positions: Any, batch: Any = None, num_clouds: int | None = None) -> PointPyramid:
        """Return the pyramid of a batch of clouds, as the builder would; the arguments are its own."""
        path = self.path(positions, batch, num_clouds)
        found = self._found(path)
        if found is None:
            found = self.builder(positions, batch, num_clouds)
            path.parent.mkdir(parents=True, exist_ok=True)
            found.save(path)
        return found.to(checks.device_of(positions))

    def path(self, positions: Any, batch: Any = None, num_clouds: int | None = None) -> Path:
        """Return where the pyramid of these points is kept."""
        kind = str(getattr(positions, "dtype", "")).removeprefix("torch.")
        array = checks.points("positions", positions, self.builder.ndim)
        clouds = None if batch is None else checks.batch("batch", batch, len(array))
        words = (VERSION, BUILDING, self.builder, kind, array.shape, clouds is None, num_clouds)
        digest = hashlib.blake2b(repr(words).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(array).data if array.size else b"")
        digest.update(b"" if clouds is None or not clouds.size else clouds.data)
        return self.folder / f"{digest.hexdigest()}.pyramid"

    def _found(self, path: Path) -> PointPyramid | None:
        try:
            return PointPyramid.load(path)
        except FileNotFoundError:
            return None
        except ValueError as error:
            warnings.warn(f"{error}; it is built and written again", stacklevel=3)
            return None

"""The usual sets of directions in space: the vertices of the regular solids and the neighbours of a voxel."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from lpsc_nd.geometry._types import FloatArray

GOLDEN_RATIO = (1 + 5**0.5) / 2


def direction_set(count: int) -> FloatArray:
    """Return a standard set of ``count`` unit vectors in 3-D, in (z, y, x) order.

    6 are the faces of a cube (octahedron), 8 its corners, 12 the vertices of an icosahedron, 20 those of a
    dodecahedron, 26 the directions to all neighbours of a voxel.

    Args:
        count: 6, 8, 12, 20 or 26.

    Returns:
        Array (count, 3) of unit vectors.

    Raises:
        ValueError: no such set.

    >>> direction_set(6).shape
    (6, 3)
    """
    if count not in _SETS:
        raise ValueError(
            f"num_directions in 3 dimensions must be a tuple (polar bands, azimuth), an (n, 3) array of unit vectors "
            f"or the size of a standard set ({', '.join(map(str, _SETS))}), got {count}"
        )
    vectors = np.array(_SETS[count](), dtype=np.float64)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _neighbours(steps: tuple[int, ...]) -> list[tuple[float, ...]]:
    """List the voxel neighbours that are moved along as many axes as ``steps`` says, positive side first."""
    cells = itertools.product((1.0, 0.0, -1.0), repeat=3)
    return [cell for cell in cells if sum(map(abs, cell)) in steps]


def _icosahedron() -> list[tuple[float, ...]]:
    return [
        vertex
        for first, second in itertools.product((1.0, -1.0), (GOLDEN_RATIO, -GOLDEN_RATIO))
        for vertex in _cyclic(0.0, first, second)
    ]


def _dodecahedron() -> list[tuple[float, ...]]:
    short = 1 / GOLDEN_RATIO
    edges = itertools.product((short, -short), (GOLDEN_RATIO, -GOLDEN_RATIO))
    return _neighbours((3,)) + [vertex for first, second in edges for vertex in _cyclic(0.0, first, second)]


def _cyclic(a: float, b: float, c: float) -> list[tuple[float, ...]]:
    return [(a, b, c), (c, a, b), (b, c, a)]


_SETS: dict[int, Callable[[], list[tuple[float, ...]]]] = {
    6: lambda: _neighbours((1,)),
    8: lambda: _neighbours((3,)),
    12: _icosahedron,
    20: _dodecahedron,
    26: lambda: _neighbours((1, 2, 3)),
}

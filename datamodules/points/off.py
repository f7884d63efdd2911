"""The OFF format: polygon meshes as text."""

from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datamodules.data_files import DataFileError, check_finite, check_range
from datamodules.points.surface_patches import TriangleMesh


def read_off(path: Path) -> TriangleMesh:
    """Read a mesh; polygons are cut into triangles that share the first corner.

    Allowed are a header without a line break ("OFF8 6 12"), a missing edge count, comments from # on, blank lines, any
    line ends, and numbers such as colours after a vertex or face. Faces of one or two vertices have no area and are
    left out.

    Args:
        path: a text file that begins with OFF.

    Raises:
        DataFileError: the file is truncated or malformed, has no face or no area, or a number is out of range.
    """
    lines = _content(path)
    num_vertices, num_faces, body = _header(path, lines)
    if len(body) != num_vertices + num_faces:
        raise DataFileError(
            path,
            f"must hold {num_vertices} vertices and {num_faces} faces, a line each, got {len(body)} lines after the"
            " header; the file is truncated, or its header wrong",
        )
    vertices = _vertices(path, body[:num_vertices])
    mesh = TriangleMesh(vertices, _triangles(path, body[num_vertices:], num_vertices))
    if len(mesh.triangles) == 0 or not mesh.areas.sum() > 0:
        raise DataFileError(path, "must have a surface, got faces without area only")
    return mesh


def _content(path: Path) -> list[str]:
    text = path.read_bytes().decode("utf-8-sig", errors="replace")
    lines = (line.partition("#")[0].strip() for line in text.splitlines())
    return [line for line in lines if line]


def _header(path: Path, lines: Sequence[str]) -> tuple[int, int, Sequence[str]]:
    """Return both counts, and the lines after them."""
    if not lines or not lines[0].startswith("OFF"):
        got = repr(lines[0][:20]) if lines else "an empty file"
        raise DataFileError(path, f"must begin with OFF, got {got}")
    glued = lines[0][len("OFF") :].strip()
    counts = ([glued] if glued else lines[1:2]) or [""]
    fields = counts[0].split()
    if len(fields) not in (2, 3) or not all(field.isdecimal() for field in fields):
        raise DataFileError(path, f"must give the numbers of vertices, faces and edges after OFF, got {counts[0]!r}")
    num_vertices, num_faces = int(fields[0]), int(fields[1])
    if num_vertices == 0 or num_faces == 0:
        raise DataFileError(path, f"must have vertices and faces, got {num_vertices} and {num_faces}")
    return num_vertices, num_faces, lines[1:] if glued else lines[2:]


def _vertices(path: Path, lines: Sequence[str]) -> NDArray[np.float64]:
    rows = [line.split()[:3] for line in lines]
    try:
        vertices = np.array(rows, dtype=np.float64)
    except ValueError as error:
        raise DataFileError(path, f"vertices must be three numbers each: {error}") from error
    if vertices.shape != (len(lines), 3):
        raise DataFileError(path, f"vertices must be three numbers each, got {lines[0]!r}")
    with np.errstate(over="ignore"):
        check_finite(path, "vertices", vertices.astype(np.float32))  # clouds are float32
    return vertices


def _triangles(path: Path, lines: Sequence[str], num_vertices: int) -> NDArray[np.int64]:
    polygons = [_polygon(path, line) for line in lines]
    try:
        corners = np.fromiter(chain.from_iterable(polygons), dtype=np.int64)
    except OverflowError as error:
        raise DataFileError(path, f"vertices of faces must be from 0 to {num_vertices - 1}: {error}") from error
    check_range(path, "vertices of faces", corners, num_vertices)
    fans = [(polygon[0], *pair) for polygon in polygons for pair in pairwise(polygon[1:])]
    return np.array(fans, dtype=np.int64).reshape(-1, 3)


def _polygon(path: Path, line: str) -> list[int]:
    size, *fields = line.split()
    try:
        corners = [int(field) for field in fields[: int(size)]]
    except ValueError as error:
        raise DataFileError(path, f"a face must be whole numbers, got {line!r}") from error
    if not corners or len(corners) != int(size):
        raise DataFileError(path, f"a face must be a count and as many vertices, got {line!r}")
    return corners

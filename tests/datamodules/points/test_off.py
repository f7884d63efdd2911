"""OFF files: every oddity of the format gives the same mesh, every damage an error that names the file."""

from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.data_files import DataFileError
from datamodules.points.mesh_points import MeshPoints
from datamodules.points.off import read_off

CUBE = [(x, y, z) for x in (0, 1) for y in (0, 1) for z in (0, 1)]
SQUARES = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
CUBE_TEXT = "OFF\n8 6 12\n" + "".join(f"{x} {y} {z}\n" for x, y, z in CUBE)
CUBE_TEXT += "".join("4 " + " ".join(map(str, square)) + "\n" for square in SQUARES)

coordinates = st.floats(-1e6, 1e6, width=32).map(float)


@st.composite
def meshes(draw):
    """Vertices, and polygons of 3 to 6 corners among them; the first triangle has an area."""
    vertices = [(0.0, 0.0, 0.0), (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)]
    vertices += draw(st.lists(st.tuples(coordinates, coordinates, coordinates), max_size=8))
    corner = st.integers(0, len(vertices) - 1)
    polygons = draw(st.lists(st.lists(corner, min_size=1, max_size=6), max_size=8))
    return vertices, [[0, 1, 2], *polygons]


@st.composite
def texts(draw, mesh):
    """The mesh as an OFF file with drawn oddities."""
    vertices, polygons = mesh
    edges = draw(st.sampled_from(["", " 0", " 17"]))
    counts = f"{len(vertices)} {len(polygons)}{edges}"
    header = draw(st.sampled_from(["OFF\n", "OFF", "OFF ", "# made by hand\nOFF\n", "\ufeffOFF\n\n# counts\n"]))
    gap = draw(st.sampled_from([" ", "  ", "\t"]))
    colour = draw(st.sampled_from(["", " 255 0 0", " 0.5 0.5 0.5 1"]))
    rows = [gap.join(repr(value) for value in vertex) for vertex in vertices]
    rows += [gap.join(map(str, [len(polygon), *polygon])) + colour for polygon in polygons]
    ends = st.sampled_from(["\n", " \n", "\n\n", " # note\n", "\n  # a line of its own\n"])
    text = header + counts + "\n" + "".join(row + draw(ends) for row in rows)
    text = text.rstrip("\n") if draw(st.booleans()) else text
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@given(data=st.data())
def test_a_mesh_comes_back_from_any_text_of_it(data, tmp_path_factory):
    mesh = data.draw(meshes())
    path = tmp_path_factory.getbasetemp() / "drawn.off"
    path.write_bytes(data.draw(texts(mesh)).encode())
    read = read_off(path)
    vertices, polygons = mesh
    np.testing.assert_array_equal(read.vertices, np.array(vertices))
    expected = [[p[0], p[i], p[i + 1]] for p in polygons for i in range(1, len(p) - 1)]
    assert read.triangles.tolist() == expected


@given(cut=st.integers(0, len(CUBE_TEXT) - 9))
def test_a_truncated_file_is_refused(cut, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "cut.off"
    path.write_text(CUBE_TEXT[:cut])
    with pytest.raises(DataFileError, match=r"cut\.off"):
        read_off(path)


@given(text=st.text(max_size=40), keep=st.integers(0, len(CUBE_TEXT)))
def test_noise_gives_a_mesh_or_the_typed_error(text, keep, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "noise.off"
    path.write_bytes((CUBE_TEXT[:keep] + text + CUBE_TEXT[keep:]).encode("utf-8", "replace"))
    with suppress(DataFileError):
        assert read_off(path).areas.sum() > 0


TRIANGLE = "0 0 0\n1 0 0\n0 1 0\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "must begin with OFF, got an empty file"),
        ("PLY\n", "must begin with OFF, got 'PLY'"),
        ("COFF\n3 1 0\n", "must begin with OFF, got 'COFF'"),
        ("OFF", "must give the numbers of vertices, faces and edges after OFF, got ''"),
        ("OFF\n3\n", "must give the numbers .* got '3'"),
        ("OFF BINARY\n", "must give the numbers .* got 'BINARY'"),
        ("OFF\n-3 1 0\n", "must give the numbers .* got '-3 1 0'"),
        (f"OFF\n3 0 0\n{TRIANGLE}", "must have vertices and faces, got 3 and 0"),
        ("OFF\n0 1 0\n3 0 1 2\n", "must have vertices and faces, got 0 and 1"),
        (f"OFF\n3 1 0\n{TRIANGLE}", "must hold 3 vertices and 1 faces, a line each, got 3 lines"),
        (f"OFF\n3 1 0\n{TRIANGLE}3 0 1 2\n3 0 1 2\n", "must hold 3 vertices and 1 faces, a line each, got 5 lines"),
        ("OFF\n3 1 0\n0 0 0\n1 0\n0 1 0\n3 0 1 2\n", "vertices must be three numbers each"),
        ("OFF\n3 1 0\n0 0\n1 0\n0 1\n3 0 1 2\n", "vertices must be three numbers each, got '0 0'"),
        ("OFF\n3 1 0\n0 0 0\n1 zero 0\n0 1 0\n3 0 1 2\n", "vertices must be three numbers each: .*zero"),
        ("OFF\n3 1 0\n0 0 0\n1 nan 0\n0 1 0\n3 0 1 2\n", r"vertices must be finite, got nan at \[1, 1\]"),
        ("OFF\n3 1 0\n0 0 0\n1e39 0 0\n0 1 0\n3 0 1 2\n", r"vertices must be finite, got inf at \[1, 0\]"),
        (f"OFF\n3 1 0\n{TRIANGLE}3 0 1 3\n", r"vertices of faces must be from 0 to 2, got 3 at \[2\]"),
        (f"OFF\n3 1 0\n{TRIANGLE}3 0 1 -1\n", "vertices of faces must be from 0 to 2, got -1"),
        (f"OFF\n3 1 0\n{TRIANGLE}3 0 1 {10**30}\n", "vertices of faces must be from 0 to 2"),
        (f"OFF\n3 1 0\n{TRIANGLE}3 0 1\n", "a face must be a count and as many vertices, got '3 0 1'"),
        (f"OFF\n3 1 0\n{TRIANGLE}0\n", "a face must be a count and as many vertices, got '0'"),
        (f"OFF\n3 1 0\n{TRIANGLE}-1 0 1\n", "a face must be a count and as many vertices, got '-1 0 1'"),
        (f"OFF\n3 1 0\n{TRIANGLE}3 0 1.5 2\n", "a face must be whole numbers, got '3 0 1.5 2'"),
        (f"OFF\n3 1 0\n{TRIANGLE}2 0 1\n", "must have a surface, got faces without area only"),
        (f"OFF\n3 1 0\n{TRIANGLE}3 0 1 1\n", "must have a surface, got faces without area only"),
    ],
)
def test_malformed_files_are_refused(text, message, tmp_path):
    path = tmp_path / "wrong.off"
    path.write_text(text)
    with pytest.raises(DataFileError, match=f"wrong.off: {message}"):
        read_off(path)


def test_clouds_of_a_mesh_are_uniform_and_seeded(tmp_path):
    path = tmp_path / "ModelNet40" / "cube" / "train" / "cube_0001.off"
    path.parent.mkdir(parents=True)
    path.write_text(CUBE_TEXT)
    data = MeshPoints([path, path], [3, 3], 12_000, seed=1, normals=True)
    sample = data[0]
    assert (sample.label, sample.name) == (3, "cube/cube_0001")
    sides = np.concatenate([sample.positions == 0, sample.positions == 1], axis=1).mean(axis=0)
    assert abs(sides - 1 / 6).max() < 4.5 * np.sqrt(5 / 36 / 12_000)
    quarters = (sample.positions[sample.positions[:, 0] == 0][:, 1:] < 0.5).mean(axis=0)
    assert abs(quarters - 0.5).max() < 0.06
    outside = ((sample.positions - 0.5) * sample.features).sum(axis=1)
    np.testing.assert_allclose(outside, 0.5, atol=1e-6)  # the normals point outwards
    assert np.array_equal(sample.positions, data[0].positions)
    assert not np.array_equal(sample.positions, data[1].positions)
    other = MeshPoints([path], [3], 12_000, seed=2)[0]
    assert not np.array_equal(sample.positions, other.positions)
    assert other.features is None

"""NIfTI files: one orientation, spacing from the affine, the way back, and what is refused."""

import gzip
import itertools
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from datamodules.data_files import DataFileError
from datamodules.volumes.nifti import read_grid, read_image, read_labels, write_labels

DATA = Path(nibabel.__file__).parent / "tests" / "data"
TURNS = [(order, signs) for order in itertools.permutations(range(3)) for signs in itertools.product((-1, 1), repeat=3)]
SPACINGS = st.tuples(*3 * (st.sampled_from((0.5, 1.0, 1.25, 3.0)),))
SHAPES = st.tuples(*3 * (st.integers(1, 5),))


def turned(turn, spacing, origin=(0.0, 0.0, 0.0)):
    """The affine whose axis ``i`` runs along ``signs[i]`` times world axis ``order[i]``."""
    order, signs = turn
    affine = np.eye(4)
    affine[:3, :3] = 0
    for axis, (world, sign) in enumerate(zip(order, signs, strict=True)):
        affine[world, axis] = sign * spacing[axis]
    affine[:3, 3] = origin
    return affine


def by_world(values, affine):
    """Oracle: the voxels sorted by their height, then from behind, then from the left."""
    places = np.stack(np.meshgrid(*map(np.arange, values.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    world = places @ affine[:3, :3].T + affine[:3, 3]
    order = np.lexsort(world.T.round(6))
    counts = [len(np.unique(world[:, axis].round(6))) for axis in (2, 1, 0)]
    return values.reshape(-1)[order].reshape(counts)


@given(shape=SHAPES, spacing=SPACINGS, turn=st.sampled_from(TURNS), seed=st.integers(0, 99))
def test_any_file_is_read_upwards_to_the_front_and_to_the_right(
    shape, spacing, turn, seed, save_nifti, tmp_path_factory
):
    values = np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    affine = turned(turn, spacing, (-3.0, 20.0, 7.5))
    path = save_nifti(tmp_path_factory.mktemp("turned") / "image.nii.gz", values, affine)
    image = read_image(path)
    assert image.values.dtype == np.float32
    np.testing.assert_array_equal(image.values[0], by_world(values, affine))
    assert image.grid.size == image.values.shape[1:]
    expected = dict(zip(turn[0], spacing, strict=True))
    np.testing.assert_allclose(image.grid.spacing, [expected[2], expected[1], expected[0]], rtol=1e-6)
    assert read_grid(path) == image.grid


def test_the_oracle_sees_a_wrong_order():
    values = np.arange(6.0).reshape(1, 2, 3)
    affine = turned(((0, 1, 2), (1, 1, -1)), (1, 1, 1))
    assert by_world(values, affine).tolist() == [[[2.0], [5.0]], [[1.0], [4.0]], [[0.0], [3.0]]]


@given(shape=SHAPES, spacing=SPACINGS, turn=st.sampled_from(TURNS), angle=st.floats(-0.4, 0.4), seed=st.integers(0, 99))
def test_labels_go_back_onto_the_voxels_of_their_source(
    shape, spacing, turn, angle, seed, save_nifti, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("back")
    oblique = np.eye(4)
    oblique[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    affine = oblique @ turned(turn, spacing, (1.0, 2.0, 3.0))
    labels = np.random.default_rng(seed).integers(0, 4, shape).astype(np.uint8)
    source = save_nifti(folder / "source.nii.gz", labels, affine)
    canonical, grid = read_labels(source, 4)
    write_labels(folder / "back.nii.gz", canonical, grid)
    back = nibabel.load(folder / "back.nii.gz")
    np.testing.assert_array_equal(np.asarray(back.dataobj), labels)
    np.testing.assert_allclose(back.affine, affine, atol=1e-5)
    assert back.get_data_dtype() == np.uint8


@pytest.mark.parametrize(("units", "factor"), [("mm", 1.0), ("unknown", 1.0), ("meter", 1000.0), ("micron", 0.001)])
def test_spacing_is_in_millimetres_whatever_the_unit(units, factor, save_nifti, tmp_path):
    path = save_nifti(tmp_path / "image.nii", np.zeros((2, 2, 2), np.uint8), np.diag([1, 2, 4, 1]), units)
    np.testing.assert_allclose(read_grid(path).spacing, np.array([4, 2, 1]) * factor)


def test_modalities_come_first(save_nifti, tmp_path):
    values = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype(np.float32)
    image = read_image(save_nifti(tmp_path / "image.nii.gz", values), 5)
    np.testing.assert_array_equal(image.values, values.transpose(3, 2, 1, 0))
    single = save_nifti(tmp_path / "single.nii.gz", values[..., :1])
    np.testing.assert_array_equal(read_image(single).values, values.transpose(3, 2, 1, 0)[:1])


def test_stored_integers_are_scaled(tmp_path):
    image = nibabel.Nifti1Image(np.array([[[0.0, 1.0, 2.0]]]), np.eye(4))
    image.header.set_data_dtype(np.int16)
    nibabel.save(image, tmp_path / "scaled.nii")
    assert nibabel.load(tmp_path / "scaled.nii").dataobj.slope != 1
    np.testing.assert_allclose(read_image(tmp_path / "scaled.nii").values[0, :, 0, 0], [0, 1, 2], atol=1e-4)


@pytest.mark.parametrize(
    ("name", "channels", "size", "spacing"),
    [
        ("anatomical.nii", 1, (25, 41, 33), (2.0, 2.0, 2.0)),
        ("functional.nii", 20, (3, 21, 17), (8.0, 4.0, 4.0)),
        ("reoriented_anat_moved.nii", 1, (22, 26, 21), (4.0, 4.0, 4.0)),
        ("example_nifti2.nii.gz", 2, (12, 20, 32), (2.2, 2.0, 2.0)),
    ],
)
def test_nibabels_own_volumes_are_read(name, channels, size, spacing):
    image = read_image(DATA / name, channels)
    assert image.values.shape == (channels, *size)
    np.testing.assert_allclose(image.grid.spacing, spacing, atol=1e-2)
    theirs = nibabel.as_closest_canonical(nibabel.load(DATA / name)).get_fdata(dtype=np.float32)
    np.testing.assert_array_equal(image.values, theirs.reshape(*theirs.shape[:3], channels).transpose(3, 2, 1, 0))


def test_a_real_file_with_nan_is_refused():
    with pytest.raises(
        DataFileError, match=r"resampled_anat_moved.nii: voxels must be finite, got nan .* 152 more; repl"
    ):
        read_image(DATA / "resampled_anat_moved.nii")


@pytest.mark.parametrize(("value", "text"), [(np.nan, "nan"), (np.inf, "inf"), (-np.inf, "-inf"), (1e300, "inf")])
def test_voxels_that_are_not_finite_are_refused(value, text, save_nifti, tmp_path):
    values = np.zeros((3, 4, 5))
    values[0, 1, 2] = value
    path = save_nifti(tmp_path / "image.nii.gz", values)
    with pytest.raises(DataFileError, match=rf"image.nii.gz: voxels must be finite, got {text} at .* \[0, 2, 1, 0\]"):
        read_image(path)


def sheared(amount):
    affine = np.eye(4)
    affine[0, 1] = amount
    return affine


@pytest.mark.parametrize(
    ("affine", "message"),
    [
        (sheared(0.2), r"must be at right angles, got an affine with 78\.7 degrees between two; resample it first"),
        (
            np.diag([1.0, 0.0, 1.0, 1.0]),
            r"voxels must have a size, got an affine with axes of length \[1\.0, 0\.0, 1\.0\]",
        ),
        (np.diag([1.0, np.nan, 1.0, 1.0]), "the affine must be finite"),
    ],
)
def test_voxels_that_are_no_boxes_are_refused(affine, message, save_nifti, tmp_path):
    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    image.header.set_sform(affine, code=1)
    image.header.set_qform(None, code=0)
    path = tmp_path / "image.nii"
    path.write_bytes(image.header.structarr.tobytes() + b"\0" * 12)
    with pytest.raises(DataFileError, match=rf"image\.nii: .*{message}"):
        read_grid(path)


def test_a_rounded_affine_passes(save_nifti, tmp_path):
    assert read_grid(save_nifti(tmp_path / "image.nii", np.zeros((2, 2, 2)), sheared(1e-4))).size == (2, 2, 2)


@pytest.mark.parametrize(
    ("values", "channels", "message"),
    [
        (np.zeros((2, 3, 4, 5)), 1, r"must have shape \[x, y, z\], 1 channel\(s\), got \[2, 3, 4, 5\]"),
        (np.zeros((2, 3, 4)), 2, r"must have shape \[x, y, z, 2\], 2 channel\(s\), got \[2, 3, 4\]"),
        (np.zeros((2, 3)), 1, r"must have shape \[x, y, z\], 1 channel\(s\), got \[2, 3\]"),
        (np.zeros((2, 2, 2, 1, 3)), 3, r"got \[2, 2, 2, 1, 3\]"),
        (np.zeros((2, 2, 2), np.complex64), 1, "voxels must be real numbers, got complex64"),
        (np.zeros((2, 2, 2), np.dtype([(c, "u1") for c in "RGB"])), 1, "voxels must be real numbers"),
    ],
)
def test_other_images_are_refused(values, channels, message, save_nifti, tmp_path):
    path = save_nifti(tmp_path / "image.nii.gz", values)
    with pytest.raises(DataFileError, match=rf"image\.nii\.gz: {message}|image\.nii\.gz: .*{message}"):
        read_image(path, channels)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.array([[[0, 1, 3]]], np.uint8),
            r"labels must be from 0 to 2, got 3 at .* \[2, 0, 0\] and 0 more; name the class",
        ),
        (np.array([[[0, -1]]], np.int16), "labels must be from 0 to 2, got -1"),
        (np.array([[[0, 0.5]]]), r"labels must be whole numbers, got 0\.5"),
        (np.array([[[0, np.nan]]]), "labels must be finite, got nan"),
    ],
)
def test_labels_that_are_no_classes_are_refused(values, message, save_nifti, tmp_path):
    path = save_nifti(tmp_path / "labels.nii.gz", values)
    with pytest.raises(DataFileError, match=rf"labels\.nii\.gz: {message}"):
        read_labels(path, 3)


def test_labels_stored_as_floats_are_read(save_nifti, tmp_path):
    labels, _ = read_labels(save_nifti(tmp_path / "labels.nii.gz", np.array([[[0.0, 2.0]]])), 3)
    assert labels.dtype == np.uint8
    assert labels[:, 0, 0].tolist() == [0, 2]


@pytest.fixture(scope="module")
def whole(save_nifti, tmp_path_factory):
    """The bytes of a good file, by its ending."""
    folder = tmp_path_factory.mktemp("whole")
    values = np.random.default_rng(0).integers(0, 1000, (4, 5, 6)).astype(np.int16)
    return {ending: save_nifti(folder / f"image{ending}", values).read_bytes() for ending in (".nii", ".nii.gz")}


@given(ending=st.sampled_from((".nii", ".nii.gz")), data=st.data())
def test_a_truncated_file_is_refused_wherever_it_ends(ending, data, whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("cut") / f"image{ending}"
    path.write_bytes(whole[ending][: data.draw(st.integers(0, len(whole[ending]) - 1))])
    with pytest.raises(DataFileError, match=rf"image{ending}: (cannot be read as NIfTI|is truncated)") as caught:
        read_image(path)
    assert caught.value.path == path


BYTES = st.lists(
    st.tuples(st.integers(0, 351), st.sampled_from((0, 1, 127, 128, 255)) | st.integers(0, 255)), max_size=4
)
FIELDS = st.tuples(
    st.integers(0, 87).map(lambda word: 4 * word), st.sampled_from((np.nan, np.inf, -1.0, 0.0, 1e30, 1e-40))
)


@given(changes=BYTES, field=FIELDS | st.none())
def test_a_damaged_header_is_refused_or_read(changes, field, whole, tmp_path_factory):
    path = tmp_path_factory.mktemp("damaged") / "image.nii"
    content = bytearray(whole[".nii"])
    for place, value in changes:
        content[place] = value
    if field is not None:
        content[field[0] : field[0] + 4] = np.float32(field[1]).tobytes()
    path.write_bytes(content)
    try:
        outcome = read_image(path).values
    except DataFileError as error:
        outcome = str(error)
    if isinstance(outcome, str):
        assert outcome.startswith(str(path))
    else:
        assert outcome.ndim == 4
        assert np.isfinite(outcome).all()


@given(content=st.binary(max_size=700))
def test_other_bytes_are_refused(content, tmp_path_factory):
    path = tmp_path_factory.mktemp("other") / "image.nii.gz"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"image\.nii\.gz: "):
        read_image(path)
    path.write_bytes(gzip.compress(content))
    with pytest.raises(DataFileError, match=r"image\.nii\.gz: "):
        read_grid(path)


def test_a_missing_file_is_named(tmp_path):
    for read in (read_grid, read_image):
        with pytest.raises(FileNotFoundError, match=r"missing\.nii"):
            read(tmp_path / "missing.nii")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (np.zeros((2, 3, 5), np.uint8), r"labels must have shape \[4, 3, 2\], got \[2, 3, 5\]"),
        (np.full((4, 3, 2), 256), "labels must be from 0 to 255, got 256 to 256"),
        (np.full((4, 3, 2), -1), "labels must be from 0 to 255, got -1 to -1"),
    ],
)
def test_labels_that_do_not_fit_are_not_written(labels, message, save_nifti, tmp_path):
    grid = read_grid(save_nifti(tmp_path / "image.nii", np.zeros((2, 3, 4))))
    with pytest.raises(ValueError, match=message):
        write_labels(tmp_path / "labels.nii.gz", labels, grid)
    assert not (tmp_path / "labels.nii.gz").exists()


def test_missing_nibabel_is_explained(monkeypatch, save_nifti, tmp_path):
    path = save_nifti(tmp_path / "image.nii", np.zeros((2, 2, 2)))
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(ModuleNotFoundError, match=r"nibabel, which is not installed: pip install 'lpsc-nd\[volumes\]'"):
        read_grid(path)

"""The Decathlon's tree, in small: cases, channels, spacing, parts, and what is refused."""

import json

import nibabel
import numpy as np
import pytest
import torch

from datamodules.data_files import DataFileError
from datamodules.volumes.decathlon import DecathlonDataModule


def edit(root, **changes):
    path = root / "dataset.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_cases_are_those_of_dataset_json_without_strays(decathlon):
    data = DecathlonDataModule(decathlon(count=10, tested=2))
    assert [case.name for case in data.cases.labelled] == [f"box_{number:03d}" for number in range(10)]
    assert [case.name for case in data.cases.predicted] == ["box_010", "box_011"]
    assert data.class_names == ("background", "odd", "even")
    assert data.num_channels == 1
    parts = data.parts
    assert [len(part) for part in (parts.train, parts.val, parts.test, parts.predict)] == [6, 2, 2, 2]
    assert {*parts.train, *parts.val, *parts.test} == {*data.cases.labelled}


def test_parts_do_not_depend_on_the_training_seed(decathlon):
    root = decathlon()
    found = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        found.append(DecathlonDataModule(root).parts)
    assert found[0] == found[1]


def test_volumes_keep_a_spacing_they_share(decathlon):
    data = DecathlonDataModule(decathlon(spacings=((1.0, 2.0, 3.0),)), patch_size=4)
    assert data.spacing == (3.0, 2.0, 1.0)
    x, target = data.splits.val[0]
    assert x.shape == (1, 6, 10, 12)
    case = data.parts.val[0]
    values = np.asarray(nibabel.load(case.image).dataobj).transpose(2, 1, 0).astype(np.float64)
    np.testing.assert_allclose(x[0].numpy(), (values - values.mean()) / values.std(), atol=1e-4)
    np.testing.assert_array_equal(target.numpy(), np.asarray(nibabel.load(case.labels).dataobj).transpose(2, 1, 0))


def test_volumes_of_several_spacings_are_brought_to_the_median(decathlon):
    root = decathlon(count=9, spacings=((1.0, 1.0, 2.0), (1.0, 1.0, 4.0), (2.0, 1.0, 4.0)))
    data = DecathlonDataModule(root, patch_size=4)
    assert data.spacing == (4.0, 1.0, 1.0)
    sizes = {tuple(x.shape[1:]) for part in (data.splits.val, data.splits.test) for x, _ in part}
    sizes |= {tuple(volume.images.shape[1:]) for volume in data.splits.train.source}
    assert sizes == {(4, 10, 12), (6, 10, 12), (6, 10, 23)}


def test_a_given_spacing_is_used_for_all(decathlon):
    data = DecathlonDataModule(decathlon(spacings=((1.0, 1.0, 3.0),)), spacing=1.0)
    x, target = data.splits.test[0]
    assert data.spacing == (1.0, 1.0, 1.0)
    assert x.shape == (1, 16, 10, 12)
    assert target.shape == (16, 10, 12)
    assert 4 <= (target > 0).sum() <= 2 * 2 * 6  # 2 x 2 x 2 voxels of 3 mm


def test_modalities_are_channels_standardised_one_by_one(decathlon):
    data = DecathlonDataModule(decathlon(channels=3), patch_size=4)
    assert data.num_channels == 3
    x, _ = data.splits.val[0]
    assert x.shape == (3, 6, 10, 12)
    np.testing.assert_allclose(x.flatten(1).mean(dim=1), np.zeros(3), atol=1e-4)
    np.testing.assert_allclose(x.flatten(1).std(dim=1, correction=0), np.ones(3), atol=1e-3)


def test_a_window_maps_to_the_unit_interval(decathlon):
    data = DecathlonDataModule(decathlon(), window=(90, 110))
    x, _ = data.splits.val[0]
    values = np.asarray(nibabel.load(data.parts.val[0].image).dataobj).transpose(2, 1, 0)
    np.testing.assert_allclose(x[0].numpy(), ((values - 90.0) / 20).clip(0, 1), atol=1e-5)


def test_voxels_of_zero_do_not_count_in_the_mean(save_nifti, decathlon):
    root = decathlon()
    data = DecathlonDataModule(root)
    case = data.parts.val[0]
    values = np.zeros((12, 10, 6), np.float32)
    values[:3] = np.random.default_rng(0).normal(200, 10, (3, 10, 6))
    save_nifti(case.image, values, np.diag([1.0, 1.0, 3.0, 1.0]))
    x = data.splits.val[0][0][0].numpy().transpose(2, 1, 0)
    assert (x[3:] == 0).all()
    np.testing.assert_allclose([x[:3].mean(), x[:3].std()], [0, 1], atol=1e-3)


@pytest.mark.parametrize("level", [0.0, 7.0])
def test_an_even_volume_gives_no_nan(level, save_nifti, decathlon):
    data = DecathlonDataModule(decathlon())
    save_nifti(data.parts.val[0].image, np.full((12, 10, 6), level, np.float32), np.diag([1.0, 1.0, 3.0, 1.0]))
    assert data.splits.val[0][0].unique().tolist() == [0.0]


def test_loaders_give_patches_then_whole_volumes(decathlon):
    data = DecathlonDataModule(decathlon(count=10), batch_size=3, patch_size=(4, 6, 8), patches_per_volume=2)
    batches = list(data.train_dataloader())
    assert [len(x) for x, _ in batches] == [3, 3, 3, 3]  # 6 volumes, two patches each
    for x, target in batches:
        assert x.shape[1:] == (1, 4, 6, 8)
        assert x.dtype == torch.float32
        assert target.shape[1:] == (4, 6, 8)
        assert target.dtype == torch.int64
        assert type(x) is type(target) is torch.Tensor
    for loader in (data.val_dataloader(), data.test_dataloader()):
        assert [tuple(x.shape) for x, _ in loader] == 2 * [(1, 1, 6, 10, 12)]
    predicted = list(data.predict_dataloader())
    assert len(predicted) == 2
    assert all((target == 255).all() and target.shape == (1, 6, 10, 12) for _, target in predicted)


def test_without_a_test_list_prediction_is_on_the_test_part(decathlon):
    data = DecathlonDataModule(decathlon(tested=0))
    assert data.parts.predict == data.parts.test
    assert all((target < 255).all() for _, target in data.predict_dataloader())


def test_without_a_test_share_the_validation_part_is_tested(decathlon):
    parts = DecathlonDataModule(decathlon(count=5), test_fraction=0).parts
    assert parts.test == parts.val
    assert len(parts.train) == 4


def test_predictions_are_written_onto_the_image_of_their_case(decathlon, tmp_path):
    data = DecathlonDataModule(decathlon(spacings=((1.0, 1.0, 3.0),)), spacing=(1.0, 0.5, 0.5))
    x, target = data.splits.test[0]
    assert x.shape == (1, 16, 19, 23)
    case = data.parts.test[0]
    path = data.write_prediction(case, target, tmp_path / "out")
    assert path == tmp_path / "out" / f"{case.name}.nii.gz"
    written, truth = nibabel.load(path), nibabel.load(case.labels)
    np.testing.assert_array_equal(np.asarray(written.dataobj), np.asarray(truth.dataobj))
    np.testing.assert_array_equal(written.affine, truth.affine)


def test_missing_files_show_the_tree(decathlon, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"(?s)dataset\.json does not exist.*labelsTr/<case>\.nii\.gz"):
        DecathlonDataModule(tmp_path).setup("fit")
    root = decathlon()
    (root / "labelsTr" / "box_002.nii.gz").unlink()
    with pytest.raises(FileNotFoundError, match=r"(?s)labelsTr/box_002\.nii\.gz does not exist.*imagesTr/<case>"):
        DecathlonDataModule(root).setup("fit")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": []}, "training must list at least one case, got none"),
        ({"training": None}, "training must be a list, got None"),
        ({"training": [{"image": "./imagesTr/box_000.nii.gz"}]}, "cases must have image and label"),
        ({"training": [3]}, 'cases must be "file" or'),
        ({"training": [{"image": 3, "label": "x"}]}, 'cases must be "file" or'),
        ({"labels": {"0": "background"}}, "labels must be an object .* at least 2 and at most 255"),
        ({"labels": {"background": 0, "odd": 1}}, r"labels must be an object .* got the keys \['background', 'odd'\]"),
        ({"labels": {"0": "background", "2": "odd"}}, r"labels must be an object .* got the keys \['0', '2'\]"),
        ({"labels": ["background", "odd"]}, "labels must be an object"),
        ({"modality": {}}, "modality must be an object"),
        ({"modality": None}, "modality must be an object .* got None"),
    ],
)
def test_a_wrong_description_is_refused(changes, message, decathlon):
    root = decathlon()
    edit(root, **changes)
    with pytest.raises(DataFileError, match=rf"dataset\.json: {message}"):
        DecathlonDataModule(root).setup("fit")


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[1]"])
def test_a_damaged_description_is_refused(content, decathlon):
    root = decathlon()
    (root / "dataset.json").write_bytes(content)
    with pytest.raises(
        DataFileError, match=r"dataset\.json: (cannot be read as JSON, is it complete|must be an object)"
    ):
        DecathlonDataModule(root).setup("fit")


@pytest.mark.parametrize(
    ("file", "shape", "affine", "message"),
    [
        (
            "labelsTr",
            (12, 10, 7),
            (1.0, 1.0, 3.0),
            r"must have the shape \[6, 10, 12\] .* of box_001\.nii\.gz, got \[7, 1",
        ),
        ("labelsTr", (12, 10, 6), (1.0, 1.0, 1.0), r"must lie on the voxels of box_001\.nii\.gz, got another affine"),
        ("labelsTr", (12, 10, 6, 2), (1.0, 1.0, 3.0), r"must have shape \[x, y, z\], 1 channel"),
        ("imagesTr", (12, 10, 6, 2), (1.0, 1.0, 3.0), r"must have shape \[x, y, z\], 1 channel"),
        ("imagesTs", (12, 10), (1.0, 1.0, 3.0), r"must have shape \[x, y, z\], 1 channel"),
    ],
)
def test_volumes_that_do_not_fit_are_found_at_setup(file, shape, affine, message, decathlon, save_nifti):
    root = decathlon(count=6, tested=1)
    name = "box_006.nii.gz" if file == "imagesTs" else "box_001.nii.gz"
    save_nifti(root / file / name, np.zeros(shape, np.uint8), np.diag([*affine, 1.0]))
    with pytest.raises(DataFileError, match=rf"{file}/{name}: {message}"):
        DecathlonDataModule(root).setup("fit")


def test_unknown_labels_and_nan_are_found_when_a_volume_is_read(decathlon, save_nifti):
    data = DecathlonDataModule(decathlon())
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    case, other = data.parts.val[0], data.parts.test[0]
    save_nifti(case.labels, np.full((12, 10, 6), 3, np.uint8), affine)
    with pytest.raises(DataFileError, match=rf"labelsTr/{case.name}\.nii\.gz: labels must be from 0 to 2, got 3"):
        data.splits.val[0]
    save_nifti(other.image, np.full((12, 10, 6), np.nan, np.float32), affine)
    with pytest.raises(DataFileError, match=rf"imagesTr/{other.name}\.nii\.gz: voxels must be finite"):
        data.splits.test[0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"spacing": 0}, r"spacing must be greater than 0|spacing\[0\] must be greater than 0"),
        ({"spacing": (1, 1)}, "spacing must be one number or a sequence of 3"),
        ({"window": (1, 1)}, r"window must be \(low, high\) with low < high, got \(1\.0, 1\.0\)"),
        ({"patch_size": 0}, "patch_size must be at least 1|patch_size must be at least 1"),
        ({"patches_per_volume": 0}, "patches_per_volume must be at least 1"),
        ({"foreground": 1.5}, "foreground must be from 0 to 1, got 1.5"),
        ({"val_fraction": 0}, "val_fraction must be between 0 and 1"),
        ({"test_fraction": 0.8}, "test_fraction must be at least 0 and less than 1 - val_fraction"),
        ({"flip_axes": (0, 3)}, r"flip_axes must be different axes from 0 to 2, got \(0, 3\)"),
        ({"flip_axes": (1, 1)}, r"flip_axes must be different axes from 0 to 2, got \(1, 1\)"),
        ({"batch_size": 0}, "batch_size must be at least 1"),
    ],
)
def test_bad_arguments_are_named(arguments, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        DecathlonDataModule(tmp_path, **arguments)


def test_too_few_cases_are_explained(decathlon):
    with pytest.raises(ValueError, match=r"leave none of the 2 labelled case\(s\) for training"):
        DecathlonDataModule(decathlon(count=2)).setup("fit")

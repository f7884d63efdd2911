"""Predicted masks as NIfTI files: on the voxels of their sources, whatever these are."""

import nibabel
import numpy as np
import pytest
import torch
from pytorch_lightning import LightningDataModule, Trainer
from torch import nn
from torch.utils.data import DataLoader

from datamodules.volumes.folder import NiftiFolderDataModule
from lightning_modules.volumes.segmentation import VolumeSegmentationTask
from lightning_modules.volumes.writer import VolumeWriter

# (x, y, z) of the file: identity, turned by quarters, mirrored, anisotropic and moved
AFFINES = {
    "plain": np.diag([1.0, 1.0, 1.0, 1.0]),
    "thick": np.array([[0.75, 0, 0, -3], [0, 0.75, 0, 5], [0, 0, 3.0, 11], [0, 0, 0, 1]]),
    "turned": np.array([[0, 0, 1.0, 2], [-1.0, 0, 0, 3], [0, 2.0, 0, 4], [0, 0, 0, 1]]),
}


class Threshold(nn.Module):
    """Class 1 where the value is above 0: no training is needed."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x):
        return torch.cat([-self.scale * x, self.scale * x], dim=1)


def write_cases(root, shape=(7, 6, 5)):
    """Images of +1 and -1 in blocks, so that standardising keeps signs; returns what should be predicted."""
    expected = {}
    for number, (name, affine) in enumerate(AFFINES.items()):
        generator = np.random.default_rng(number)
        labels = (generator.random(shape) < 0.5).astype(np.uint8)
        for folder, values in (("images", labels * 2.0 - 1), ("labels", labels)):
            (root / folder).mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(values.astype(np.float32 if folder == "images" else np.uint8), affine)
            nibabel.save(image, root / folder / f"{name}.nii.gz")
        expected[name] = labels
    return expected


def predict(tmp_path, data, **options):
    trainer = Trainer(
        default_root_dir=tmp_path / "run",
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        callbacks=[VolumeWriter(**options)],
    )
    trainer.predict(VolumeSegmentationTask(Threshold(), 2), datamodule=data)
    return tmp_path / "run"


@pytest.mark.parametrize("name", AFFINES)
def test_masks_lie_on_the_voxels_of_their_images(tmp_path, name):
    expected = write_cases(tmp_path / "data")
    for folder in ("images", "labels"):
        (tmp_path / "data" / "test" / folder).mkdir(parents=True)
        (tmp_path / "data" / folder / f"{name}.nii.gz").rename(tmp_path / "data" / "test" / folder / f"{name}.nii.gz")
    spacing = tuple(np.linalg.norm(AFFINES[name][:3, :3], axis=1)[::-1])  # no resampling
    data = NiftiFolderDataModule(tmp_path / "data", spacing=spacing, val_fraction=0.5)
    run = predict(tmp_path, data, folder="out")
    (path,) = (run / "out").iterdir()
    assert path.name == f"{name}.nii.gz"
    found = nibabel.load(path)
    np.testing.assert_allclose(found.affine, AFFINES[name], atol=1e-6)
    np.testing.assert_array_equal(np.asarray(found.dataobj), expected[name])


def test_resampled_volumes_come_back_to_their_own_voxels(tmp_path):
    shape = (12, 12, 4)
    labels = np.zeros(shape, np.uint8)
    labels[3:9, 2:8] = 1
    affine = np.diag([1.0, 1.0, 3.0, 1.0])
    for case in ("a", "b", "c"):
        for folder, values in (("images", labels * 2.0 - 1), ("labels", labels)):
            (tmp_path / "data" / folder).mkdir(parents=True, exist_ok=True)
            image = nibabel.Nifti1Image(values.astype(np.float32 if folder == "images" else np.uint8), affine)
            nibabel.save(image, tmp_path / "data" / folder / f"{case}.nii.gz")
    data = NiftiFolderDataModule(tmp_path / "data", spacing=1.0, val_fraction=0.34, test_fraction=0.34)
    (path,) = (predict(tmp_path, data) / "masks").iterdir()
    found = nibabel.load(path)
    np.testing.assert_allclose(found.affine, affine)
    np.testing.assert_array_equal(np.asarray(found.dataobj), labels)


class Tensors(LightningDataModule):
    """Volumes that are from nowhere."""

    def predict_dataloader(self):
        return DataLoader(dataset=torch.zeros(2, 1, 2, 2, 2))


def test_volumes_that_are_not_from_files_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"needs a data module of NIfTI files, .* got Tensors; take it out of"):
        predict(tmp_path, Tensors())

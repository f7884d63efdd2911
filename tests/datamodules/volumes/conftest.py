"""Writers of tiny volumes."""

import json

import nibabel
import numpy as np
import pytest


@pytest.fixture(scope="session")
def save_nifti():
    """``save_nifti(path, values, affine)`` writes an array in the order of the file's axes; affine by default 1 mm."""

    def save(path, values, affine=None, units="mm"):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nibabel.Nifti1Image(np.asarray(values), np.eye(4) if affine is None else affine)
        image.header.set_xyzt_units(units)
        nibabel.save(image, path)
        return path

    return save


@pytest.fixture
def decathlon(tmp_path, save_nifti):
    """``decathlon(count, channels=..., spacings=...)`` writes a task of bright boxes; returns its root."""

    def write(count=6, channels=1, spacings=((1.0, 1.0, 3.0),), shape=(12, 10, 6), tested=2):
        root = tmp_path / "Task99_Boxes"
        training, test = [], []
        for number in range(count + tested):
            generator = np.random.default_rng(number)
            affine = np.diag([*spacings[number % len(spacings)], 1.0])
            labels = np.zeros(shape, np.uint8)
            low = generator.integers(1, np.array(shape) - 3)
            labels[tuple(slice(start, start + 2) for start in low)] = 1 + number % 2
            values = 100 + 50.0 * labels[..., None] + generator.normal(0, 5, (*shape, channels))
            image = values.astype(np.float32) if channels > 1 else values[..., 0].astype(np.int16)
            part = "Tr" if number < count else "Ts"
            save_nifti(root / f"images{part}" / f"box_{number:03d}.nii.gz", image, affine)
            (root / f"images{part}" / f"._box_{number:03d}.nii.gz").write_bytes(b"left by macOS")
            if part == "Tr":
                save_nifti(root / "labelsTr" / f"box_{number:03d}.nii.gz", labels, affine)
                name = f"box_{number:03d}.nii.gz"
                training.append({"image": f"./imagesTr/{name}", "label": f"./labelsTr/{name}"})
                training.append({"image": f"./imagesTr/._{name}", "label": f"./labelsTr/._{name}"})
            else:
                test.append(f"./imagesTs/box_{number:03d}.nii.gz")
        content = {
            "name": "Boxes",
            "modality": {str(channel): f"kind {channel}" for channel in range(channels)},
            "labels": {"0": "background", "1": "odd", "2": "even"},
            "training": training,
            "test": test,
        }
        (root / "dataset.json").write_text(json.dumps(content))
        return root

    return write

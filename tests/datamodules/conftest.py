"""Writers of tiny data files."""

import numpy as np
import pytest


@pytest.fixture
def write_h5():
    """``write_h5(path, data=..., ...)`` writes arrays into an HDF5 file, and makes the folder."""
    import h5py

    def write(path, **arrays):
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as file:
            for name, array in arrays.items():
                file.create_dataset(name, data=array)

    return write


@pytest.fixture
def clouds():
    """``clouds(labels)`` gives the arrays of random clouds of five points, in the types of the published files."""

    def make(labels, size=5, seed=0):
        positions = np.random.default_rng(seed).normal(size=(len(labels), size, 3)).astype(np.float32)
        return {"data": positions, "label": np.array(labels, np.uint8)[:, None]}

    return make

"""Point clouds sampled from OFF meshes."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from datamodules.points.datasets import PointDataset
from datamodules.points.off import read_off
from datamodules.points.types import PointSample

_MESH_STREAM = 3  # keeps these random numbers apart from those of transforms


class MeshPoints(PointDataset):
    """Clouds drawn uniformly by area from meshes, which are read when their cloud is asked for.

    Args:
        paths: the files, ``<class>/<part>/<name>.off``.
        labels: their classes.
        num_points: points per cloud.
        seed: the points of a mesh follow from it and the mesh's index.
        normals: give the normals of the faces as features.
    """

    def __init__(
        self, paths: Sequence[Path], labels: Sequence[int], num_points: int, seed: int = 0, normals: bool = False
    ) -> None:
        super().__init__(np.asarray(labels))
        self.paths = tuple(paths)
        self.num_points = num_points
        self.seed = seed
        self.normals = normals

    def __getitem__(self, index: int) -> PointSample:
        path = self.paths[index]
        generator = np.random.default_rng((_MESH_STREAM, self.seed, index))
        sampled = read_off(path).propose(self.num_points, generator)
        return PointSample(
            sampled.positions.astype(np.float32),
            label=int(self.labels[index]),
            features=sampled.normals.astype(np.float32) if self.normals else None,
            name=f"{path.parent.parent.name}/{path.stem}",
            has_normals=self.normals,
        )

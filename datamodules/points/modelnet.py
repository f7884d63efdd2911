"""ModelNet40: 12 311 computer-aided designs in 40 classes, as meshes or as sampled clouds."""

from pathlib import Path
from typing import Any, Literal

from datamodules.data_files import detect_source, missing_data, read_lines, require, require_some
from datamodules.hdf5 import read_clouds
from datamodules.points.datasets import ArrayPoints, CloudArrays, check_fraction, cut_validation
from datamodules.points.mesh_points import MeshPoints
from datamodules.points.module import PointDataModule, PointSources
from lpsc_nd._checks import choice, integer

OFF_TREE = """ModelNet40/
    <class>/
        train/*.off
        test/*.off"""
HDF5_TREE = """modelnet40_ply_hdf5_2048/
    shape_names.txt    one class per line
    train_files.txt    names of the files below, in whatever folder
    test_files.txt
    ply_data_*.h5      data (N, 2048, 3), label (N, 1), normal (N, 2048, 3) if asked for"""
_FOLDERS = {"off": "ModelNet40", "hdf5": "modelnet40_ply_hdf5_2048"}


class ModelNet40DataModule(PointDataModule):
    """ModelNet40 (Wu et al., 2015), from the meshes or from the clouds of 2048 points that PointNet published.

    The set has no validation part; a share of each training class is cut off, always the same. Coordinates come as
    stored, :class:`~datamodules.points.transforms.NormalizeToUnitSphere` normalises them. Meshes have z upwards, the
    stored clouds y. Classes are the folders that there are, or the lines of shape_names.txt.

    Args:
        root: folder that holds ``ModelNet40`` or ``modelnet40_ply_hdf5_2048``.
        source: which of both to read; by default the one that is there.
        num_points: points sampled from each mesh; stored clouds come whole.
        normals: give the normals as features.
        val_fraction: share of each training class for validation.
        seed: of the points sampled from meshes.
        **loading: arguments of :class:`~datamodules.points.module.PointDataModule`.

    Raises:
        FileNotFoundError: a file is missing when the data is loaded; the message shows the tree.
        DataFileError: a file is damaged. Stored clouds are read at once, a mesh when its cloud is asked for.
        ValueError: an argument is out of range, or both sources are there and none was chosen.
    """

    def __init__(
        self,
        root: str | Path,
        source: Literal["off", "hdf5"] | None = None,
        num_points: int = 2048,
        normals: bool = False,
        val_fraction: float = 0.1,
        seed: int = 0,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.root = Path(root)
        self.source = None if source is None else choice("source", source, _FOLDERS)
        self.num_points = integer("num_points", num_points, minimum=1)
        self.normals = normals
        self.val_fraction = check_fraction(val_fraction)
        self.seed = integer("seed", seed, minimum=0)

    def load_sources(self) -> PointSources:
        """Find the meshes, or read the stored clouds, and cut off the validation part."""
        source = self.source or detect_source(self.root, _FOLDERS, {"off": OFF_TREE, "hdf5": HDF5_TREE})
        return self._meshes() if source == "off" else self._clouds()

    def _meshes(self) -> PointSources:
        base = self.root / _FOLDERS["off"]
        require([base], self.root, OFF_TREE)
        folders = sorted(path for path in base.iterdir() if path.is_dir() and not path.name.startswith("."))
        if not folders:
            raise missing_data(base / "<class>", self.root, OFF_TREE)
        train, val = cut_validation(self._part(folders, "train"), self.val_fraction)
        names = tuple(folder.name for folder in folders)
        return PointSources(train, val, self._part(folders, "test"), names)

    def _part(self, folders: list[Path], part: str) -> MeshPoints:
        found = [
            (path, label)
            for label, folder in enumerate(folders)
            for path in require_some(folder / part, "*.off", self.root, OFF_TREE)
        ]
        paths, labels = zip(*found, strict=True)
        return MeshPoints(paths, labels, self.num_points, self.seed, self.normals)

    def _clouds(self) -> PointSources:
        base = self.root / _FOLDERS["hdf5"]
        lists = [base / name for name in ("shape_names.txt", "train_files.txt", "test_files.txt")]
        require([base, *lists], self.root, HDF5_TREE)
        names = tuple(read_lines(lists[0]))
        train, val = cut_validation(self._stored(lists[1], len(names)), self.val_fraction)
        return PointSources(train, val, self._stored(lists[2], len(names)), names)

    def _stored(self, listing: Path, num_classes: int) -> ArrayPoints:
        # The published lists name the folders of the machine they were made on.
        paths = [listing.parent / line.replace("\\", "/").rpartition("/")[2] for line in read_lines(listing)]
        require(paths, self.root, HDF5_TREE)
        clouds = read_clouds(paths, num_classes, ["normal"] if self.normals else [])
        return ArrayPoints(
            CloudArrays(
                clouds.positions,
                clouds.labels,
                clouds.names,
                features=clouds.extras.get("normal"),
                has_normals=self.normals,
            )
        )

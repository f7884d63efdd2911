"""ShapeNetPart: 16 categories of designs, their points labelled with 50 parts."""

from pathlib import Path
from typing import Any, Literal

from datamodules.data_files import detect_source, require, require_some
from datamodules.hdf5 import read_clouds
from datamodules.points.datasets import ArrayPoints, CloudArrays, PointDataset
from datamodules.points.module import PointDataModule, PointSources
from datamodules.points.shapenet_parts import CLASS_NAMES, CLASS_PARTS, PART_NAMES
from datamodules.points.shapenet_text import TEXT_FOLDER, TEXT_TREE, check_parts, read_text_part
from lpsc_nd._checks import choice

HDF5_TREE = """hdf5_data/
    ply_data_train*.h5    data (N, 2048, 3), label (N, 1), pid (N, 2048)
    ply_data_val*.h5
    ply_data_test*.h5"""
_FOLDERS = {"hdf5": "hdf5_data", "text": TEXT_FOLDER}

Part = Literal["train", "val", "test"]


class ShapeNetPartDataModule(PointDataModule):
    """ShapeNetPart (Yi et al., 2016), from PointNet's HDF5 files or from the text release with normals; y upwards.

    Both number the categories alphabetically and the parts through all categories, so ``class_parts[label]`` are the
    parts of a category. Their parts have no published names; they are called "Airplane 1" and so on.

    Args:
        root: folder that holds ``hdf5_data`` or ``shapenetcore_partanno_segmentation_benchmark_v0_normal``.
        source: which of both to read; by default the one that is there.
        normals: give the normals as features; the text release alone has them.
        **loading: arguments of :class:`~datamodules.points.module.PointDataModule`.

    Raises:
        FileNotFoundError: a file is missing when the data is loaded; the message shows the tree.
        DataFileError: a file is damaged. HDF5 files are read at once, a text file when its cloud is asked for.
        ValueError: an argument is wrong, or both sources are there and none was chosen.
    """

    def __init__(
        self,
        root: str | Path,
        source: Literal["hdf5", "text"] | None = None,
        normals: bool = False,
        **loading: Any,
    ) -> None:
        super().__init__(**loading)
        self.root = Path(root)
        self.source = None if source is None else choice("source", source, _FOLDERS)
        self.normals = normals

    def load_sources(self) -> PointSources:
        """Read the HDF5 files, or find the text files."""
        source = self.source or detect_source(self.root, _FOLDERS, {"hdf5": HDF5_TREE, "text": TEXT_TREE})
        read = self._clouds if source == "hdf5" else self._texts
        return PointSources(read("train"), read("val"), read("test"), CLASS_NAMES, PART_NAMES, CLASS_PARTS)

    def _texts(self, part: Part) -> PointDataset:
        return read_text_part(self.root, part, self.normals)

    def _clouds(self, part: Part) -> PointDataset:
        if self.normals:
            raise ValueError("normals=True needs source='text': the HDF5 files have none")
        base = self.root / _FOLDERS["hdf5"]
        require([base], self.root, HDF5_TREE)
        paths = require_some(base, f"ply_data_{part}*.h5", self.root, HDF5_TREE)
        clouds = read_clouds(paths, len(CLASS_NAMES), ["pid"])
        parts = clouds.extras["pid"]
        for name, label, own in zip(clouds.names, clouds.labels.tolist(), parts, strict=True):
            check_parts(base / name, own, label)
        return ArrayPoints(CloudArrays(clouds.positions, clouds.labels, clouds.names, parts=parts))

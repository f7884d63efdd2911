"""What all data modules of point clouds share: transforms, loaders of batches of uneven clouds."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.utils.data import DataLoader, Dataset

from datamodules.base import BaseDataModule, Splits
from datamodules.points.datasets import PointDataset, TransformedPoints
from datamodules.points.types import PointSample, PointTransform, collate_points
from datamodules.sampling import KeyedShuffle


@dataclass(frozen=True)
class PointSources:
    """The clouds of a data set as they are stored.

    Args:
        train: training part.
        val: validation part.
        test: test part.
        class_names: in the order of the labels.
        part_names: in the order of the part labels; empty if there are none.
        class_parts: for each class, the part labels that occur in it; empty if there are none.
    """

    train: PointDataset
    val: PointDataset
    test: PointDataset
    class_names: tuple[str, ...]
    part_names: tuple[str, ...] = ()
    class_parts: tuple[tuple[int, ...], ...] = ()


class PointDataModule(BaseDataModule):
    """Base of the data modules of point clouds: a subclass says how to load its :class:`PointSources`.

    Training clouds come in the order of :class:`~datamodules.sampling.SeededShuffle`; their transforms depend on seed,
    epoch and index alone. Evaluation goes in order, and its transforms depend on the index alone.

    Args:
        batch_size: clouds per batch.
        num_workers: processes that load batches; 0 loads in the main process.
        train_transforms: applied to training clouds, each as ``transform(sample, generator)``.
        eval_transforms: applied to validation, test and prediction clouds.
        prepare: applied to every cloud last, in the loading process, for instance to build its neighbourhoods.
        collate: makes a batch of what ``prepare`` returns.

    Shape:
        A batch is a :class:`~datamodules.points.types.PointBatch`, unless ``collate`` makes something else.

    Raises:
        ValueError: an argument is out of range.
    """

    def __init__(
        self,
        batch_size: int = 32,
        num_workers: int = 0,
        train_transforms: Sequence[PointTransform] = (),
        eval_transforms: Sequence[PointTransform] = (),
        prepare: Callable[[PointSample], Any] | None = None,
        collate: Callable[[list[Any]], Any] = collate_points,
    ) -> None:
        super().__init__(batch_size, num_workers)
        self.train_transforms = tuple(train_transforms)
        self.eval_transforms = tuple(eval_transforms)
        self.prepare = prepare
        self.collate = collate
        self._sources: PointSources | None = None

    @abstractmethod
    def load_sources(self) -> PointSources:
        """Find and check the data; called once."""

    @property
    def sources(self) -> PointSources:
        """The clouds without transforms, loaded at the first use."""
        if self._sources is None:
            self._sources = self.load_sources()
        return self._sources

    @property
    def class_names(self) -> tuple[str, ...]:
        """Names of the classes, in the order of the labels."""
        return self.sources.class_names

    @property
    def part_names(self) -> tuple[str, ...]:
        """Names of the parts, in the order of the part labels; empty if there are none."""
        return self.sources.part_names

    @property
    def class_parts(self) -> tuple[tuple[int, ...], ...]:
        """For each class, the part labels that occur in it; empty if there are none."""
        return self.sources.class_parts

    def load_splits(self) -> Splits:
        """Attach the transforms to the three parts."""
        sources = self.sources
        return Splits(
            TransformedPoints(sources.train, self.train_transforms, self.prepare),
            TransformedPoints(sources.val, self.eval_transforms, self.prepare),
            TransformedPoints(sources.test, self.eval_transforms, self.prepare),
        )

    def train_dataloader(self) -> DataLoader[Any]:
        """Return the loader of the training set, in shuffled order."""
        return self._loader(self.splits.train, sampler=KeyedShuffle(self.splits.train))

    def _loader(self, dataset: Dataset[Any], **options: Any) -> DataLoader[Any]:
        return super()._loader(dataset, collate_fn=self.collate, **options)

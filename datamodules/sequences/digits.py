"""The handwritten digits as series: 64 values, row by row."""

from torch.utils.data import TensorDataset

from datamodules.base import SizedDataset, Splits
from datamodules.digits import DigitsDataModule


class DigitSequencesDataModule(DigitsDataModule):
    """The digits of :class:`~datamodules.digits.DigitsDataModule`, in the same parts, read row by row.

    A pixel's lower neighbour is eight steps away: what a small window sees of a figure are strokes along its rows.

    Args:
        **arguments: those of :class:`~datamodules.digits.DigitsDataModule`.

    Shape:
        A batch is ``(x, labels)``: x ``(B, 1, 64)`` float32, labels ``(B,)`` int64 from 0 to 9.

    Raises:
        ValueError: an argument is out of range.
        ModuleNotFoundError: scikit-learn is missing when the data is loaded.
    """

    def load_splits(self) -> Splits:
        """Lay the rows of the images one after the other."""
        images = super().load_splits()
        return Splits(*(_rows_as_one(part) for part in (images.train, images.val, images.test)))


def _rows_as_one(part: TensorDataset | SizedDataset) -> TensorDataset:
    images, labels = part[:]
    return TensorDataset(images.flatten(2), labels)

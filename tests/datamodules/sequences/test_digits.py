"""The digits as series: the images' rows one after the other, in the same parts."""

import torch

from datamodules.digits import DigitsDataModule
from datamodules.sequences.digits import DigitSequencesDataModule


def test_a_series_is_an_image_row_by_row():
    images = DigitsDataModule(val_fraction=0.1).splits
    series = DigitSequencesDataModule(val_fraction=0.1).splits
    for part in ("train", "val", "test"):
        pictures, labels = getattr(images, part).tensors
        x, target = getattr(series, part).tensors
        assert x.shape == (len(pictures), 1, 64)
        assert torch.equal(torch.stack([x[:, 0, 8 * row : 8 * row + 8] for row in range(8)], dim=1), pictures[:, 0])
        assert torch.equal(target, labels)


def test_loaders_give_batches_of_series():
    x, target = next(iter(DigitSequencesDataModule(batch_size=5).train_dataloader()))
    assert (x.shape, x.dtype, target.dtype) == ((5, 1, 64), torch.float32, torch.int64)

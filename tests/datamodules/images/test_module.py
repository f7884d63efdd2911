"""How batches of images are varied and standardised, inside Lightning and out."""

import pytest
import torch
from pytorch_lightning import LightningModule, Trainer
from torch.utils.data import TensorDataset

from datamodules.base import Splits
from datamodules.images.augmentation import CropFlip
from datamodules.images.module import ImageDataModule, collate_lists

QUIET = {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}


class Noise(ImageDataModule):
    """Twelve random images in each part."""

    mean = (0.1, 0.2, 0.3)
    std = (0.5, 0.4, 0.25)

    def augmentation(self):
        return CropFlip(2)

    def load_splits(self):
        images = torch.randint(0, 256, (12, 3, 8, 8), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
        part = TensorDataset(images, torch.arange(12))
        return Splits(part, part, part)


class Spy(LightningModule):
    """Keeps the batches it is given, by stage and epoch; draws other random numbers in between."""

    def __init__(self):
        super().__init__()
        self.seen = {}
        self.weight = torch.nn.Parameter(torch.zeros(()))

    def training_step(self, batch, batch_idx):
        torch.rand(torch.randint(1, 9, ()).item())
        self.seen["train", self.current_epoch, batch_idx] = batch
        return self.weight**2

    def validation_step(self, batch, batch_idx):
        self.seen["val", self.current_epoch, batch_idx] = batch

    def predict_step(self, batch, batch_idx):
        self.seen["predict", 0, batch_idx] = batch
        return batch[1]

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


@pytest.fixture
def spied(tmp_path):
    """Train and predict with ``Noise``, and return all batches."""

    def run(epochs=2, **options):
        torch.manual_seed(options.pop("seed", 0))
        data, spy = Noise(batch_size=6, **options), Spy()
        trainer = Trainer(default_root_dir=tmp_path, max_epochs=epochs, enable_checkpointing=False, **QUIET)
        trainer.fit(spy, datamodule=data)
        trainer.predict(spy, datamodule=data)
        return spy.seen

    return run


pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers"),
    pytest.mark.filterwarnings("ignore:.isinstance.treespec, LeafSpec.. is deprecated"),
    pytest.mark.filterwarnings("ignore:The number of training batches"),
]


def standard(images):
    mean, std = torch.tensor(Noise.mean).view(3, 1, 1), torch.tensor(Noise.std).view(3, 1, 1)
    return (images / 255 - mean) / std


def test_evaluation_is_standardised_and_not_varied(spied):
    seen = spied()
    raw, labels = Noise(6).splits.test.tensors
    for stage in ("val", "predict"):
        torch.testing.assert_close(torch.cat([seen[stage, 0, 0][0], seen[stage, 0, 1][0]]), standard(raw))
        assert torch.equal(torch.cat([seen[stage, 0, 0][1], seen[stage, 0, 1][1]]), labels)


def test_training_is_varied_anew_in_every_epoch(spied):
    seen = spied()
    raw = standard(Noise(6).splits.train.tensors[0])
    changed = {}
    for epoch in (0, 1):
        batches = [seen["train", epoch, number] for number in (0, 1)]
        images, labels = (torch.cat(parts) for parts in zip(*batches, strict=True))
        changed[epoch] = images[labels.argsort()]
        assert not torch.equal(changed[epoch], raw)
    assert not torch.equal(changed[0], changed[1])


def test_the_seed_decides(spied):
    first, again, other = spied(), spied(), spied(seed=1)
    for key, (images, _) in first.items():
        assert torch.equal(images, again[key][0])
    assert not torch.equal(first["train", 0, 0][0], other["train", 0, 0][0])


def test_a_resumed_run_goes_on_as_the_uninterrupted_one(tmp_path):
    def fit(epochs, **options):
        torch.manual_seed(0)
        spy = Spy()
        trainer = Trainer(default_root_dir=tmp_path, max_epochs=epochs, enable_checkpointing=False, **QUIET)
        trainer.fit(spy, datamodule=Noise(batch_size=6), **options)
        return trainer, spy.seen

    _, whole = fit(2)
    trainer, _ = fit(1)
    trainer.save_checkpoint(tmp_path / "half.ckpt")
    _, rest = fit(2, ckpt_path=tmp_path / "half.ckpt")
    assert ("train", 0, 0) not in rest
    for number in (0, 1):
        assert torch.equal(rest["train", 1, number][0], whole["train", 1, number][0])


def test_without_augmentation_training_images_are_standardised_alone(spied):
    seen = spied(augment=False)
    raw = standard(Noise(6).splits.train.tensors[0])
    images, labels = seen["train", 0, 0]
    torch.testing.assert_close(images, raw[labels])


@pytest.mark.parametrize(("precision", "dtype"), [("bf16-true", torch.bfloat16), ("64-true", torch.float64)])
def test_batches_have_the_precision_of_the_run(tmp_path, precision, dtype):
    spy = Spy()
    trainer = Trainer(default_root_dir=tmp_path, precision=precision, fast_dev_run=True, **QUIET)
    trainer.fit(spy, datamodule=Noise(batch_size=6))
    assert {images.dtype for images, _ in spy.seen.values()} == {dtype}


def test_other_random_numbers_do_not_matter_and_are_left_alone():
    data = Noise(6)
    batch = data.splits.train[:]
    torch.manual_seed(5)
    images, _ = data.training_batch(batch, number=3)
    drawn = torch.rand(4)
    torch.manual_seed(5)
    assert torch.equal(torch.rand(4), drawn)
    assert torch.equal(data.training_batch(batch, number=3)[0], images)
    for other in ({"number": 4}, {"number": 3, "rank": 1}):
        assert not torch.equal(data.training_batch(batch, **other)[0], images)


def test_lists_keep_uneven_images():
    images = [torch.zeros(3, 2, 5), torch.zeros(3, 4, 4)]
    kept, labels = collate_lists([(images[0], 7), (images[1], 8)])
    assert [image.shape for image in kept] == [(3, 2, 5), (3, 4, 4)]
    assert labels.tolist() == [7, 8]
    _, masks = collate_lists([(images[0], torch.zeros(2, 5)), (images[1], torch.ones(4, 4))])
    assert [mask.shape for mask in masks] == [(2, 5), (4, 4)]

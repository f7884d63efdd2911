"""Threads beside loading processes."""

from types import SimpleNamespace

import pytest
import torch

from lightning_modules.threads import LeaveCores


@pytest.fixture(autouse=True)
def _threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def trainer(**data):
    return SimpleNamespace(datamodule=SimpleNamespace(**data))


@pytest.mark.parametrize(
    ("threads", "data", "left"),
    [(4, {"num_workers": 1}, 3), (2, {"num_workers": 4}, 1), (3, {"num_workers": 0}, 3), (2, {}, 2)],
)
def test_one_thread_less_for_each_loading_process_while_it_runs(threads, data, left):
    torch.set_num_threads(threads)
    callback = LeaveCores()
    callback.setup(trainer(**data), None, "fit")
    assert torch.get_num_threads() == left
    callback.teardown(trainer(**data), None, "fit")
    assert torch.get_num_threads() == threads


def test_without_a_data_module_nothing_changes():
    torch.set_num_threads(2)
    LeaveCores().setup(SimpleNamespace(datamodule=None), None, "fit")
    assert torch.get_num_threads() == 2


def test_a_teardown_alone_changes_nothing():
    torch.set_num_threads(2)
    LeaveCores().teardown(trainer(num_workers=1), None, "fit")
    assert torch.get_num_threads() == 2

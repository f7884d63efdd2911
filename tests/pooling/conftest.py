"""Fixtures of the tests of engines."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch


@pytest.fixture(scope="session")
def on_threads():
    """Return a context manager that runs PyTorch on so many threads."""

    @contextmanager
    def on(number):
        before = torch.get_num_threads()
        torch.set_num_threads(number)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    return on

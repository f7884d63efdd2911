"""Fixtures of the tests of engines."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode


class Watching(TorchDispatchMode):
    """Notes the operators that run."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def __enter__(self):
        super().__enter__()
        return self.seen

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.seen.append(str(function))
        return function(*args, **kwargs or {})


@pytest.fixture(scope="session")
def watching():
    """Return a context manager that gives the list of the operators that run within it."""
    return Watching


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

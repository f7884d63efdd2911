"""What a user without the training extra is told."""

import runpy
import sys

import pytest

import datamodules


def test_missing_lightning_is_explained(monkeypatch):
    monkeypatch.setitem(sys.modules, "pytorch_lightning", None)
    with pytest.raises(ModuleNotFoundError, match=r"needs pytorch_lightning.*pip install 'lpsc-nd\[train\]'"):
        runpy.run_path(datamodules.__file__)

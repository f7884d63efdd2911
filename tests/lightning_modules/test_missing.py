"""What a user without the training extra is told."""

import runpy
import sys

import pytest

import lightning_modules


@pytest.mark.parametrize("name", ["pytorch_lightning", "torchmetrics", "jsonargparse"])
def test_missing_packages_are_named(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ModuleNotFoundError, match=rf"needs {name}, .*pip install 'lpsc-nd\[train\]'"):
        runpy.run_path(lightning_modules.__file__)

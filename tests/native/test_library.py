"""Where kernels are found, and that nothing needs them."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

from lpsc_nd.native import library

PROGRAM = """
import torch
from lpsc_nd import LPSConv2d
from lpsc_nd.native.library import kernels
layer, x = LPSConv2d(16, 16, 9, padding=4), torch.randn(2, 16, 12, 12, requires_grad=True)
y = layer(x)
y.sum().backward()
torch.testing.assert_close(y, layer.to_conv()(x), rtol=1e-4, atol=1e-5)
print(kernels())
"""


def test_they_can_be_switched_off():
    environment = {**os.environ, library.SWITCH: "0"}
    told = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout == "None\n"


@pytest.fixture
def forgetting():
    library.kernels.cache_clear()
    yield
    library.kernels.cache_clear()


def test_other_instructions_have_none(monkeypatch, forgetting):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert library.kernels() is None


def test_a_library_of_another_system_is_not_loaded(monkeypatch, forgetting, tmp_path):
    other = tmp_path / "other.so"
    other.write_bytes(b"MZ")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(library, "_find", lambda name: other)
    assert library.kernels() is None


@pytest.mark.skipif(library.kernels() is None, reason="no kernels were compiled for this processor")
def test_a_library_of_another_version_is_not_used(monkeypatch, forgetting):
    monkeypatch.setattr(library, "VERSION", library.VERSION + 1)
    assert library.kernels() is None


def test_they_are_looked_for_beside_their_module():
    assert library._find("_no_such_kernels") is None

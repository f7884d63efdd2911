"""Hypothesis profiles for every test: choose one with HYPOTHESIS_PROFILE=dev, ci or thorough."""

import os

import pytest
import pytorch_lightning  # noqa: F401  (before other libraries, see docs/explanation/training.md)
import torch
from hypothesis import HealthCheck, settings

from lpsc_nd.pooling import compiled_layout, compiled_pass, costs, dispatch, execute

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}

settings.register_profile("dev", max_examples=20, **COMMON)
settings.register_profile("ci", max_examples=12, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=1000, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

torch.set_num_threads(1)


@pytest.fixture
def without_kernels(monkeypatch):
    """Let nothing be run by compiled kernels, as where there is no compiler; what was chosen before is forgotten."""
    monkeypatch.setattr(compiled_layout, "KERNELS", None)
    _forget_choices()
    yield
    monkeypatch.undo()
    _forget_choices()


def _forget_choices():
    compiled_pass._pass_of.cache_clear()
    for kept in (costs.cheapest_way, costs.grads_apart, costs.joins, dispatch._fitting_before, execute._decided_before):
        kept.cache_clear()

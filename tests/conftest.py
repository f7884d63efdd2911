"""Hypothesis profiles for every test: choose one with HYPOTHESIS_PROFILE=dev, ci or thorough."""

import os

import pytorch_lightning  # noqa: F401  (before other libraries, see docs/explanation/training.md)
import torch
from hypothesis import HealthCheck, settings

COMMON = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large]}

settings.register_profile("dev", max_examples=20, **COMMON)
settings.register_profile("ci", max_examples=12, derandomize=True, **COMMON)
settings.register_profile("thorough", max_examples=1000, **COMMON)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "dev"))

torch.set_num_threads(1)

"""Experiments on points, each run as ``python -m lightning_modules.point_experiments.<name> --output DIR``."""

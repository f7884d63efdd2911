"""How fast the layers are, beside the convolutions they stand in for: ``python -m benchmarks``."""

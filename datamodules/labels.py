"""Labels with a meaning of their own."""

VOID = 255
"""The label of pixels and voxels that do not count."""

"""Kernels of the CPU engine in C, compiled when the package is installed; and how they are called.

Nothing needs them: without a compiler, or on a processor that they were not compiled for, :func:`library.kernels` gives
None, and the bag engine runs on PyTorch's operators.
"""

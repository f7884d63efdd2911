"""``lpsc inspect mask | kernels | erf | model | correlation``: tables and pictures of layers, networks and images."""

from lightning_modules.inspect_command.command import main
from lightning_modules.inspect_command.sources import Sources

__all__ = ["Sources", "main"]

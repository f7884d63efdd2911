"""A bar on the terminal for what takes longer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import track

T = TypeVar("T")


def tracked(items: Iterable[T], what: str) -> Iterator[T]:
    """Yield the items under a bar on stderr, which goes when they end; without a terminal there is none."""
    console = Console(stderr=True)
    yield from track(items, what, console=console, transient=True, disable=not console.is_terminal)

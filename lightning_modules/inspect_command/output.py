"""Tables and pictures, printed and written into one folder; every file appears complete or not at all."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from lpsc_nd._files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_UNBOUNDED = 10_000  # columns of a text that no terminal wraps


@dataclass(frozen=True)
class Table:
    """Rows under headings; the first columns are text, the others numbers, which are set to the right.

    Args:
        title: printed above.
        headings: names of the columns.
        rows: cells, as many in each row as there are headings.
        notes: lines printed below.
        texts: number of columns of text.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()
    texts: int = 1

    def to_text(self) -> str:
        """Return the table as a terminal of any width shows it."""
        text = StringIO()
        self.show(Console(file=text, width=_UNBOUNDED, color_system=None))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"

    def to_csv(self) -> str:
        """Return headings and rows as comma-separated values."""
        text = StringIO()
        csv.writer(text, lineterminator="\n").writerows([self.headings, *self.rows])
        return text.getvalue()

    def show(self, console: Console) -> None:
        """Print the table and its notes."""
        table = RichTable(title=Text(self.title), title_justify="left", box=box.SIMPLE)
        for index, heading in enumerate(self.headings):
            table.add_column(Text(heading), justify="left" if index < self.texts else "right", overflow="fold")
        for row in self.rows:
            table.add_row(*map(Text, row))
        console.print(table)
        for note in self.notes:
            console.print(note, markup=False, highlight=False)


@dataclass(frozen=True)
class Output:
    """The folder that a command writes into; it is made with the first file.

    Args:
        folder: where files go; those of the same name are replaced.
        quiet: print neither tables nor paths.
    """

    folder: Path
    quiet: bool = False

    def table(self, name: str, table: Table) -> None:
        """Print a table, unless quiet, and write it as ``name.txt`` and ``name.csv``."""
        console = Console()
        if not self.quiet:
            table.show(console if console.is_terminal else Console(width=_UNBOUNDED))
        self._write(f"{name}.txt", table.to_text().encode())
        self._write(f"{name}.csv", table.to_csv().encode())

    def figure(self, name: str, figure: Figure) -> None:
        """Write a picture as ``name.png`` and ``name.svg``."""
        from matplotlib import rc_context

        for kind in ("png", "svg"):
            data = BytesIO()
            # Without a salt and with a date the same picture would be another file every time.
            with rc_context({"svg.hashsalt": "lpsc"}):
                figure.savefig(data, format=kind, dpi=150, metadata={"Date": None} if kind == "svg" else None)
            self._write(f"{name}.{kind}", data.getvalue())

    def _write(self, name: str, data: bytes) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / name
        write_whole(path, [data])
        if not self.quiet:
            print(path)


def file_name(name: str) -> str:
    """Turn any name into one for a file.

    >>> file_name("features.0 (a/b)")
    'features.0__a_b_'
    """
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)


def times(sizes: Sequence[int]) -> str:
    """Write sizes as in ``14 x 14``."""
    return " x ".join(map(str, sizes))

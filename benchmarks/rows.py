"""What tables are made of."""

from __future__ import annotations

Row = dict[str, str]
"""A row of a table: a text under each column's name."""

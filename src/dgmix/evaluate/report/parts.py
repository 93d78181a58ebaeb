"""What the sections of a report are made of; the templates' macros know how to show each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from markupsafe import Markup

from dgmix.evaluate.report import svg


@dataclass(frozen=True)
class Column:
    """A column's heading, and whether its cells are numbers."""

    name: str
    numeric: bool = True


@dataclass(frozen=True)
class Row:
    """The cells of a row; the first is its heading. `kind` is a class of the style sheet."""

    cells: Sequence[str]
    kind: str = ""


@dataclass(frozen=True)
class Block:
    """Rows that stay together when the table is sorted, under a name if they have one."""

    rows: Sequence[Row]
    name: str = ""


@dataclass(frozen=True)
class Table:
    """A table; one that is `sortable` can be sorted within its blocks by any column."""

    caption: str
    columns: Sequence[Column]
    blocks: Sequence[Block]
    sortable: bool = False


@dataclass(frozen=True)
class Panel:
    """A figure with its caption."""

    name: str
    figure: Markup
    note: str = ""


@dataclass(frozen=True)
class Entry:
    """A line of a legend, or a choice: an identifier, the shown name, the sample of its look."""

    id: str
    name: str
    key: Markup


@dataclass(frozen=True)
class Gallery:
    """Panels of one machine, and of one system where `system` is not empty."""

    machine: str
    name: str
    panels: Sequence[Panel]
    system: str = ""


def drawn(element: Element) -> Markup:
    """Return an SVG element as the markup that it is; its text is escaped already."""
    return Markup(svg.render(element))


def listing(caption: str, first: str, second: str, values: dict[str, str]) -> Table:
    """Return a table of names and values, which are texts that wrap."""
    rows = [Row([name, value], "wraps") for name, value in values.items()]
    return Table(caption, [Column(first, False), Column(second, False)], [Block(rows)])

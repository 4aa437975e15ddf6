"""What an experiment says of its figures, as paragraphs and tables: its Markdown page and its part of the report."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

FAR = 3.0  # times the median distance to 0 of a column's means: its axis ends there
ROOM = 0.04  # of an axis, on either side of what it shows


class Spread(NamedTuple):
    """A cell with a difference and its interval, which the report draws; ends that are NaN: there is no interval.

    ``sign`` is 1 where more is better, -1 where less is.
    """

    text: str
    mean: float
    low: float
    high: float
    sign: int

    @property
    def verdict(self) -> str:
        """Better or worse where the interval lies on one side of 0, else equal: it can't be told."""
        low, high = sorted((self.sign * self.low, self.sign * self.high))
        return "better" if low > 0 else "worse" if high < 0 else "equal"

    def drawn(self, axis: tuple[float, float]) -> dict[str, Any]:
        """Where 0, the mean and the interval lie on an axis, in per cent of it; what is beyond lies at its end.

        ``dot`` says what marks the mean: "left" or "right" beyond the axis, else "hollow" without an interval, else "".
        """
        start, end = axis
        inside = np.clip([0.0, self.mean, self.low, self.high], start, end)
        zero, mean, low, high = map(float, (inside - start) / (end - start) * 100)
        known = not np.isnan(self.low)
        dot = "left" if self.mean < start else "right" if self.mean > end else "" if known else "hollow"
        return {"zero": zero, "mean": mean, "low": low, "width": high - low, "known": known, "dot": dot}


Cell = str | Spread


class Sheet(NamedTuple):
    """A table: its heading, and its rows of as many cells; all but the first column are numbers, if not ``texts``."""

    head: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    texts: bool = False

    def axis(self, column: int) -> tuple[float, float]:
        """From where to where a column's spreads are drawn: all that they hold, and 0.

        One that is far off may not crowd the others: the axis ends at ``FAR`` times their median distance to 0.
        """
        spreads = [row[column] for row in self.rows if isinstance(row[column], Spread)]
        numbers = np.array([each[1:4] for each in spreads], float).reshape(-1, 3)
        finite = [0.0, *numbers[np.isfinite(numbers)]]
        means = np.abs(numbers[:, 0])
        reach = FAR * float(np.median(means)) if len(means) else 0.0
        low, high = max(min(finite), -reach), min(max(finite), reach)
        room = ROOM * (high - low) or 1.0
        return low - room, high + room


Block = str | Sequence[str] | Sheet
"""A paragraph, points, or a table. In texts, **two stars** and `backticks` say what they say in Markdown."""


@dataclass(frozen=True)
class Document:
    """A title, how it was made, what comes before the first part, the parts by heading, and what stands below them."""

    title: str
    notes: Sequence[str]
    parts: Mapping[str, Sequence[Block]]
    opening: Sequence[Block] = ()
    footnotes: Sequence[str] = ()


def markdown(document: Document) -> str:
    """The document as a Markdown page; a table's numbers stand to the right."""
    return "\n\n".join(_markdown_blocks(document)) + "\n"


def _markdown_blocks(document: Document) -> Iterator[str]:
    yield f"# {document.title}"
    yield from map(_markdown_block, [*document.notes, *document.opening])
    for heading, blocks in document.parts.items():
        yield f"## {heading}"
        yield from map(_markdown_block, blocks)
    yield from document.footnotes


def _markdown_block(block: Block) -> str:
    if isinstance(block, Sheet):
        ruler = "|:--|" + (":--|" if block.texts else "--:|") * (len(block.head) - 1)
        return "\n".join([_markdown_row(block.head), ruler, *map(_markdown_row, block.rows)])
    return block if isinstance(block, str) else "\n".join(f"- {point}" for point in block)


def _markdown_row(row: Sequence[Cell]) -> str:
    texts = [cell.text if isinstance(cell, Spread) else cell for cell in row]
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"

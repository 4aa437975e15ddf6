"""Tables that an experiment left as Markdown: what stands there, as HTML that asks nothing of anyone.

Text stays text (raw HTML is shown, not obeyed), links keep their words only, and pictures are left out: a chart stands
beside its table as a file. Tables scroll in a box of their own.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

VERDICTS = {"holds": "better", "doesn't hold": "worse", "can't be told": "equal"}
LONG_CELL = 40  # letters beyond which a cell may break


class Published(NamedTuple):
    """A page: its title, what stands before the first part, and the parts, each with its heading.

    `tables` and `notes` are what stands before the first part, in its order; `opening` is both as they stand.
    `verdicts` says per column of the first table how often which verdict stands in it, where any does.
    """

    title: str
    opening: str
    tables: str
    notes: str
    parts: list[tuple[str, str]]
    verdicts: list[tuple[str, list[tuple[str, str, int]]]]


def read_published(path: Path) -> Published | None:
    """The page that a Markdown file holds; None where there is no such file."""
    if not path.is_file():
        return None
    markdown = _markdown()
    tokens = markdown.parse(path.read_text("utf-8"))
    blocks = _blocks(_marked(tokens))

    def html(chosen: Sequence[list["Token"]]) -> str:
        return str(markdown.renderer.render([token for block in chosen for token in block], markdown.options, {}))

    title, parts = "", [("", [])]  # type: tuple[str, list[tuple[str, list[list[Token]]]]]
    for block in blocks:
        if block[0].type == "heading_open" and block[0].tag == "h1" and not title:
            title = block[1].content
        elif block[0].type == "heading_open" and block[0].tag in ("h1", "h2"):
            parts.append((block[1].content, []))
        else:
            parts[-1][1].append(block)
    opening = parts[0][1]
    tables = [block for block in opening if block[0].type == "table_open"]
    notes = [block for block in opening if block[0].type != "table_open"]
    rest = [(heading, html(part)) for heading, part in parts[1:]]
    return Published(title, html(opening), html(tables), html(notes), rest, _verdicts(tables[0]) if tables else [])


def _markdown() -> "MarkdownIt":
    """CommonMark with tables, without HTML, links and pictures."""
    from markdown_it import MarkdownIt

    markdown = MarkdownIt("commonmark", {"html": False}).enable("table")
    rules: dict[str, str] = {
        "link_open": "",
        "link_close": "",
        "image": "",
        "table_open": '<div class="sheet scroll"><table>\n',
        "table_close": "</table></div>\n",
    }
    for name, text in rules.items():
        markdown.add_render_rule(name, _constant(text))
    return markdown


def _constant(text: str) -> Any:
    """A renderer's rule that always writes the same."""

    def rule(*_: Any) -> str:
        return text

    return rule


def _marked(tokens: list["Token"]) -> list["Token"]:
    """The tokens, with headings below those of the page's own, and cells that say by class how they are to look."""
    for token, inner in zip(tokens, [*tokens[1:], None], strict=True):
        if token.type in ("heading_open", "heading_close") and token.tag not in ("h1", "h2"):
            token.tag = "h4"
        if token.type in ("td_open", "th_open") and inner is not None:
            content = _plain(inner)
            classes = [VERDICTS[content]] if content in VERDICTS else []
            classes += ["text"] if len(content) > LONG_CELL else []
            if classes:
                token.attrSet("class", " ".join(classes))
    return tokens


def _plain(inner: "Token") -> str:
    """A cell's text without emphasis."""
    return str(inner.content).replace("*", "").strip()


def _blocks(tokens: Sequence["Token"]) -> list[list["Token"]]:
    """The tokens, cut where no element is open."""
    blocks: list[list[Token]] = []
    current: list[Token] = []
    for token in tokens:
        current.append(token)
        if token.level == 0 and token.nesting <= 0:
            blocks.append(current)
            current = []
    return blocks


def _verdicts(table: Sequence["Token"]) -> list[tuple[str, list[tuple[str, str, int]]]]:
    """Per column with verdicts in it: its heading, and each verdict with its class and how often it stands there."""
    heads: list[str] = []
    counts: dict[int, Counter[str]] = {}
    column = 0
    for token, inner in pairwise(table):
        if token.type == "tr_open":
            column = 0
        elif token.type == "th_open":
            heads.append(inner.content)
        elif token.type == "td_open":
            if (said := _plain(inner)) in VERDICTS:
                counts.setdefault(column, Counter())[said] += 1
            column += 1
    return [
        (heads[place], [(verdict, VERDICTS[verdict], found[verdict]) for verdict in VERDICTS if found[verdict]])
        for place, found in sorted(counts.items())
    ]

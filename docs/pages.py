"""What the documentation has that stands elsewhere: a hook of MkDocs.

README, changelog and the model's card become pages; commands, parameters and layouts are written from the code.
"""

import argparse
import inspect
import io
import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from sftdec import cli  # noqa: E402
from sftdec.params.fields import Section  # noqa: E402
from sftdec.params.schema import Params  # noqa: E402

ELSEWHERE = {
    "index.md": "README.md",
    "model-card.md": "src/sftdec/builtin/MODEL_CARD.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}
WRITTEN = {  # page: the code that says the same where the pages aren't built
    "layouts.md": "src/sftdec/datasets/importers/layouts.py",
    "parameters.md": "src/sftdec/params/schema.py",
}


def commands() -> str:
    """What ``sftdec COMMAND --help`` prints, of all commands, in Markdown."""
    os.environ["COLUMNS"] = "100"
    parser = cli._parser()
    (choices,) = (each.choices for each in parser._actions if isinstance(each, argparse._SubParsersAction))
    parts = ["# Commands\n\nWhat each command prints with `--help`.\n"]
    parts += [f"## sftdec {name}\n\n```text\n{each.format_help()}```\n" for name, each in choices.items()]
    return "\n".join(parts)


def layouts() -> str:
    """What ``sftdec datasets`` prints, in Markdown."""
    with redirect_stdout(io.StringIO()) as printed:
        cli.main(["datasets"])
    return f"# Layouts of data sets\n\nWhat `sftdec datasets` prints.\n\n```text\n{printed.getvalue()}```\n"


def _rows(section: type[Section], name: str) -> Iterator[str]:
    """A section's table, and those of the sections in it."""
    source = inspect.getsource(section)
    said = dict(re.findall(r"^    (\w+): [^\n]*?  # (.+)$", source, re.MULTILINE))
    yield f"\n## `{name}`\n\n{(section.__doc__ or '').split(chr(10))[0]}\n\n| key | left out | |\n|---|---|---|"
    within = []
    for key, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            within.append((kind, f"{name}.{key}"))
            continue
        default = "is an error" if field.is_required() else f"`{field.get_default(call_default_factory=True)}`"
        yield f"| `{key}` | {default} | {said.get(key, '').replace('|', chr(92) + '|')} |"
    for kind, inner in within:
        yield from _rows(kind, inner)


def parameters() -> str:
    """Every key of params.yaml, from its schema, in Markdown."""
    parts = [
        "# Parameters\n\nThe keys of `params.yaml`, a section a stage. "
        "An unknown key or an impossible value stops a stage, with a sentence."
    ]
    for name, field in Params.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            parts += _rows(kind, name)
    return "\n".join(parts) + "\n"


def on_files(files: Any, config: Any) -> Any:
    """Add the pages that stand elsewhere."""
    from mkdocs.structure.files import File

    written = {"commands.md": commands(), "parameters.md": parameters(), "layouts.md": layouts()}
    for page, path in ELSEWHERE.items():
        written[page] = (ROOT / path).read_text("utf-8")
    for page, text in written.items():
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Links between the repository's files become links between pages."""
    pages = {path: name for name, path in {**ELSEWHERE, **WRITTEN}.items()} | {"LICENSE": None, "CITATION.cff": None}

    def link(found: re.Match[str]) -> str:
        text, target, anchor = found.groups()
        path = target.removeprefix("../").removeprefix("docs/")
        if target.startswith("../../"):  # of the card
            path = target.split("docs/")[-1]
        whole = path if path in pages else target.removeprefix("../")
        if whole in pages:
            return text if pages[whole] is None else f"[{text}]({pages[whole]}{anchor or ''})"
        return f"[{text}]({path}{anchor or ''})"

    return re.sub(r"(?<!`)\[([^\]\[]*)\]\((?!http)([^)#\s]+)(#[^)\s]*)?\)", link, markdown)

"""What the documentation has that stands elsewhere: a hook of MkDocs.

README, changelog and the model's card become pages; commands, parameters and layouts are written from the code.
"""

import argparse
import dataclasses
import inspect
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from sftdec import cli  # noqa: E402
from sftdec.params.fields import Section  # noqa: E402
from sftdec.params.network import Modulation, NetworkConfig  # noqa: E402
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
ALSO = {"src/sftdec/params/train.py": "parameters.md"}


def commands() -> str:
    """What ``sftdec COMMAND --help`` prints, of all commands, in Markdown."""
    os.environ["COLUMNS"] = "80"
    parts = ["# Commands\n\nWhat each command prints with `--help`.\n"]
    parts += [f"## {each.prog}\n\n```text\n{each.format_help()}```\n" for each in _commands(cli._parser())]
    return "\n".join(parts)


def _commands(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The commands of a parser, each followed by its own."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                yield each
                yield from _commands(each)


def layouts() -> str:
    """What ``sftdec datasets`` prints, in Markdown."""
    with redirect_stdout(io.StringIO()) as printed:
        cli.main(["datasets"])
    return f"# Layouts of data sets\n\nWhat `sftdec datasets` prints.\n\n```text\n{printed.getvalue()}```\n"


def _comments(section: type) -> dict[str, str]:
    """What is said of a section's fields behind them, those of the sections that it is made of included."""
    found: dict[str, str] = {}
    for each in reversed(section.__mro__):
        if each.__module__.startswith("sftdec."):
            lines = re.sub(r"^ *#.*\n", "", inspect.getsource(each), flags=re.MULTILINE)
            fields = re.findall(r"^    (\w+): (.*?)(?=^    [^\s)])", lines + "    end", re.MULTILINE | re.DOTALL)
            said = {key: re.search(r"  # (.+)", text) for key, text in fields}
            found |= {key: comment[1] for key, comment in said.items() if comment}
    return found


def _allowed(kind: Any) -> list[Any]:
    """The values of a Literal, wherever in a type it is."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return [value for each in get_args(kind) for value in _allowed(each)]


def _written(value: Any) -> str:
    """A value as params.yaml has it."""
    return f"`{json.dumps(value).strip(chr(34))}`"


def _table(name: str, section: type, fields: Iterable[tuple[str, Any, str]]) -> str:
    """A section's table; of each field its key, its type and its default in Markdown."""
    said, rows = _comments(section), []
    for key, kind, default in fields:
        values = ", ".join(map(_written, _allowed(kind)))
        text = "; ".join(part for part in (values, said.get(key, "")) if part)
        rows.append(f"| `{key}` | {default} | {text.replace('|', chr(92) + '|')} |")
    about = (section.__doc__ or "").split("\n")[0].replace("``", "`")
    return "\n".join([f"\n## `{name}`\n\n{about}\n\n| key | default | |\n|---|---|---|", *rows])


def _sections(section: type[Section], name: str) -> Iterator[str]:
    """A section's table, and those of the sections in it."""
    own: list[tuple[str, Any, str]] = []
    within: dict[type[Section], list[str]] = {}  # each kind with the keys that have it
    for key, field in section.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            within.setdefault(kind, []).append(key)
            continue
        default = "required" if field.is_required() else _written(field.get_default(call_default_factory=True))
        own.append((key, kind, default))
    yield _table(name, section, own)
    for inner, keys in within.items():
        yield from _sections(inner, f"{name}.{keys[0] if len(keys) == 1 else 'STAGE'}")


def _network() -> str:
    """The network's section: a named size, and whatever is to differ from it."""
    kinds = get_type_hints(NetworkConfig)
    own = [("preset", Literal["small", "paper"], "required"), ("modulation", Modulation, "required")]
    for field in dataclasses.fields(NetworkConfig):
        if field.name not in ("size", "sigma_max", "modulation"):
            own.append((field.name, kinds[field.name], _written(field.default)))
    return _table("network", NetworkConfig, own) + "\n\nThe defaults are the preset `paper`'s; `small` has its own."


def parameters() -> str:
    """Every key of params.yaml, from its schema, in Markdown."""
    parts = [
        "# Parameters\n\nThe keys of `params.yaml`, one section per stage; STAGE is s1, s2, s3 or end_to_end. "
        "An unknown key or an impossible value stops a stage, with a sentence."
    ]
    for name, field in Params.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, Section):
            parts += _sections(kind, name)
        elif kind is NetworkConfig:
            parts.append(_network())
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
    pages = (
        {path: name for name, path in {**ELSEWHERE, **WRITTEN}.items()} | ALSO | {"LICENSE": None, "CITATION.cff": None}
    )

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

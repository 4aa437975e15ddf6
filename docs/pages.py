"""What the documentation has that stands elsewhere: a hook of MkDocs, and the drawing of the pipeline.

    python docs/pages.py          # docs/pipeline.svg anew, from dvc.yaml, and docs/image-formation.svg, from the lens

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
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from sftdec import cli  # noqa: E402
from sftdec.params.fields import Section  # noqa: E402
from sftdec.params.schema import Params  # noqa: E402
from sftdec.runtime import read_yaml  # noqa: E402

ELSEWHERE = {
    "index.md": "README.md",
    "model-card.md": "src/sftdec/builtin/MODEL_CARD.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}
DRAWING, LENS = ROOT / "docs" / "pipeline.svg", ROOT / "docs" / "image-formation.svg"
BOX, GAP, A_ROW = (150, 60), (34, 54), 4  # px; px; stages


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


def pipeline() -> str:
    """The stages of dvc.yaml with their first outs, as a drawing (SVG)."""
    described = read_yaml(ROOT / "dvc.yaml")["stages"]
    made = [_outs(stage) for stage in described.values()]
    stages = [(name, Path(outs[0]).name) for name, outs in zip(described, made, strict=True)]
    width = A_ROW * (BOX[0] + GAP[0]) - GAP[0] + 20
    height = -(-len(stages) // A_ROW) * (BOX[1] + GAP[1]) + 10
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"',
        ' font-family="sans-serif" text-anchor="middle">',
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">',
        '<path d="M0 0L8 4L0 8z" fill="#667"/></marker></defs>',
        f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
    ]
    for number, (name, out) in enumerate(stages):
        left, top = _corner(number)
        parts.append(
            f'<rect x="{left}" y="{top}" width="{BOX[0]}" height="{BOX[1]}" rx="8" fill="#eef1fb" stroke="#3f51b5"/>'
        )
        parts.append(
            f'<text x="{left + BOX[0] / 2:g}" y="{top + 26}" font-size="18" fill="#1a237e">{escape(name)}</text>'
        )
        parts.append(f'<text x="{left + BOX[0] / 2:g}" y="{top + 47}" font-size="13" fill="#445">{escape(out)}</text>')
    for number, stage in enumerate(described.values()):
        before = [
            each for each in range(number) if any(_holds(out, dep) for out in made[each] for dep in stage["deps"])
        ]
        for last in before[-1:]:  # the others come with it
            way = (
                f'<path d="{_way(last, number)}" fill="none" stroke="#667" stroke-width="1.6" marker-end="url(#head)"/>'
            )
            parts.append(way)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _outs(stage: dict[str, Any]) -> list[str]:
    outs = [each for kind in ("outs", "metrics") for each in stage.get(kind, [])]
    return [next(iter(each)) if isinstance(each, dict) else each for each in outs]


def _holds(out: str, dep: str) -> bool:
    return Path(dep).is_relative_to(out)


def _corner(number: int) -> tuple[int, int]:
    row, column = divmod(number, A_ROW)
    return 10 + column * (BOX[0] + GAP[0]), 15 + row * (BOX[1] + GAP[1])


def _way(number: int, other: int) -> str:
    """The arrow from a stage to one that needs it: to the right, past stages between them, or down and back."""
    left, top = _corner(number)
    next_left, next_top = _corner(other)
    if top == next_top and other == number + 1:
        return f"M{left + BOX[0]} {top + BOX[1] // 2}H{next_left - 2}"
    below = top + BOX[1] + GAP[1] // 2
    end = next_top - 2 if top != next_top else top + BOX[1] + 2
    return f"M{left + BOX[0] // 2} {top + BOX[1]}V{below}H{next_left + BOX[0] // 2}V{end}"


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
    pages = {path: name for name, path in ELSEWHERE.items()} | {"LICENSE": None, "CITATION.cff": None}

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


def lens() -> str:
    """Blur against distance, of one lens at three apertures (SVG)."""
    import matplotlib
    import numpy as np
    from matplotlib.figure import Figure

    from sftdec.optics import ThinLens, sigma_of_radius

    matplotlib.rcParams.update(
        {"svg.hashsalt": "sftdec", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 12}
    )
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots()
    distance = np.geomspace(0.8, 20, 200)
    for number, colour in ((1.8, "#3f51b5"), (4.0, "#00897b"), (11.0, "#c2185b")):
        radius = np.abs(ThinLens(50, number, 2.0, 12.0).coc_radius(distance))
        axes.plot(distance, sigma_of_radius(radius), color=colour, linewidth=2)
        axes.text(20.6, float(sigma_of_radius(radius[-1])), f"f/{number:g}", color=colour, va="center")
    axes.set(
        xscale="log",
        xlabel="distance (m); the lens is focused at 2 m",
        ylabel="blur: sigma (px)",
        ylim=(0, 14),
        xlim=(0.8, 20),
    )
    axes.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
    axes.minorticks_off()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return written.getvalue()


if __name__ == "__main__":
    DRAWING.write_text(pipeline(), "utf-8")
    LENS.write_text(lens(), "utf-8")

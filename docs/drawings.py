"""The documentation's drawings (SVG), each from what it shows: the stages, the lens, measured figures.

python docs/drawings.py          # all of DRAWN anew
"""

import csv
import io
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from sftdec.runtime import read_yaml  # noqa: E402

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FOLDER = ROOT / "docs"
BOX, GAP, A_ROW = (150, 60), (34, 54), 4  # px; px; stages
INK, QUIET, BLUE = "#1a237e", "#667", "#3f51b5"


def _drawing(width: int, height: int, parts: list[str]) -> str:
    """A drawing on a white card, so that it is read on a dark page, too."""
    heads = "".join(
        f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M0 0L8 4L0 8z" fill="{colour}"/></marker>'
        for name, colour in (("head", QUIET), ("strong", BLUE))
    )
    opening = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"',
        ' font-family="sans-serif" text-anchor="middle">',
        f"<defs>{heads}</defs>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#fff"/>',
    ]
    return "\n".join([*opening, *parts, "</svg>"]) + "\n"


def _text(x: float, y: float, words: str, size: int = 13, colour: str = "#445", more: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size}" fill="{colour}"{more}>{escape(words)}</text>'


def _box(left: float, top: float, size: tuple[float, float], title: str, below: str) -> list[str]:
    middle, place = left + size[0] / 2, f'x="{left:g}" y="{top:g}" width="{size[0]:g}" height="{size[1]:g}"'
    return [
        f'<rect {place} rx="8" fill="#eef1fb" stroke="{BLUE}"/>',
        _text(middle, top + size[1] / 2 - 4, title, 18, INK),
        _text(middle, top + size[1] / 2 + 17, below),
    ]


def _arrow(way: str, strong: bool = False) -> str:
    colour, head, width = (BLUE, "strong", 2.4) if strong else (QUIET, "head", 1.6)
    return f'<path d="{way}" fill="none" stroke="{colour}" stroke-width="{width}" marker-end="url(#{head})"/>'


def pipeline() -> str:
    """The stages of dvc.yaml with their first outs."""
    described = read_yaml(ROOT / "dvc.yaml")["stages"]
    made = [_outs(stage) for stage in described.values()]
    parts = []
    for number, (name, outs) in enumerate(zip(described, made, strict=True)):
        parts += _box(*_corner(number), BOX, name, Path(outs[0]).name)
    for number, stage in enumerate(described.values()):
        before = [
            each for each in range(number) if any(_holds(out, dep) for out in made[each] for dep in stage["deps"])
        ]
        parts += [_arrow(_way(last, number)) for last in before[-1:]]  # the others come with it
    height = -(-len(described) // A_ROW) * (BOX[1] + GAP[1]) + 10
    return _drawing(A_ROW * (BOX[0] + GAP[0]) - GAP[0] + 20, height, parts)


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


def training() -> str:
    """What guides the deblurring in each stage of params.yaml, and which loss moves which network."""
    train = read_yaml(ROOT / "params.yaml")["train"]
    parts = []
    for number, name in enumerate(("s1", "s2", "s3")):
        stage, top = train[name], 20 + 130 * number
        true, held = name == "s1", bool(stage.get("detach_map"))
        assert true or held  # as the drawing has it: no loss of the pictures reaches the map network
        weights = stage["loss"]
        parts.append(_text(22, top + 36, name, 20, INK))
        parts += _box(50, top, (160, 60), "map network", "from the photo")
        parts += _box(390, top, (190, 60), "deblurring network", "from photo and map")
        parts.append(_text(300, top + 20, "the true map" if true else "the estimated map", 15, INK))
        parts.append(_arrow(f"M{240 if true else 212} {top + 30}H387", strong=True))
        for middle, losses in (
            (130, [("L_dme", "lambda_1")]),
            (485, [("L_df", "lambda_2"), ("L_wd", "lambda_3")]),
        ):
            terms = [said for said, key in losses if weights[key]]
            said = "learns by " + " + ".join(terms) if terms else "stands still"
            parts.append(_text(middle, top + 84, said, 15, BLUE if terms else QUIET))
    parts.append(
        _text(300, 404, "L_dme: the map's error · L_df: the picture's · L_wd: the picture's where it is blurred", 13)
    )
    return _drawing(600, 420, parts)


def services() -> str:
    """Who talks to whom where MLflow, DVC and Prefect are services."""
    size, tall = (170, 60), (170, 120)
    parts = [
        *_box(15, 20, size, "Prefect server", "schedules, alarms"),
        *_box(15, 150, size, "worker", "trains in a checkout"),
        *_box(235, 150, size, "MLflow server", "behind a proxy"),
        *_box(235, 280, size, "sftdec, browsers", "deblur, or look"),
        *_box(455, 60, size, "PostgreSQL", "runs, registry"),
        *_box(455, 215, tall, "S3 bucket", "weights, pictures, outs"),
        _arrow("M100 150V82"),
        _text(112, 120, "asks for runs", more=' text-anchor="start"'),
        _arrow("M185 180H233"),
        _text(209, 170, "logs"),
        _arrow("M320 280V212"),
        _text(332, 250, "ask", more=' text-anchor="start"'),
        _arrow("M405 165H430V90H453"),
        _arrow("M405 195H430V240H453"),
        _arrow("M405 310H453"),
        _text(429, 300, "load"),
        _arrow("M60 210V365H540V337"),
        _text(150, 357, "dvc push, pull"),
    ]
    return _drawing(640, 385, parts)


@contextmanager
def _chart(height: float) -> Iterator[tuple["Figure", "Axes"]]:
    """An empty chart in the house's style, narrow enough that a phone shows its letters."""
    import matplotlib

    from sftdec.reporting import bare, house_style, new_figure

    ours = {"svg.hashsalt": "sftdec", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10}
    sizes = dict.fromkeys(("xtick.labelsize", "ytick.labelsize", "axes.labelsize", "legend.fontsize"), 10)
    with house_style(), matplotlib.rc_context(ours | sizes):
        figure = new_figure(5.6, height)
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        bare(axes)
        yield figure, axes


def _svg(figure: "Figure") -> str:
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in written.getvalue().splitlines()) + "\n"


def lens() -> str:
    """Blur against distance, of one lens at three apertures."""
    import numpy as np

    from sftdec.optics import ThinLens, sigma_of_radius
    from sftdec.reporting.style import AMBER, BETTER, VIOLET

    distance = np.geomspace(0.8, 20, 200)
    with _chart(3.2) as (figure, axes):
        for number, colour in ((1.8, VIOLET), (4.0, BETTER), (11.0, AMBER)):
            sigma = sigma_of_radius(np.abs(ThinLens(50, number, 2.0, 12.0).coc_radius(distance)))
            axes.plot(distance, sigma, color=colour, linewidth=2)
            axes.text(20.6, float(sigma[-1]), f"f/{number:g}", color=colour, va="center")
        axes.set(xscale="log", ylim=(0, 14), xlim=(0.8, 20))
        axes.set(xlabel="distance (m); the lens is focused at 2 m", ylabel="blur: sigma (px)")
        axes.set_xticks([1, 2, 5, 10, 20], ["1", "2", "5", "10", "20"])
        axes.minorticks_off()
        return _svg(figure)


def heavy_blur() -> str:
    """What the shipped model's map reads against the true blur, of docs/heavy-blur.csv."""
    from sftdec.reporting import BETTER, MUTED
    from sftdec.reporting.style import AMBER

    rows = _rows(FOLDER / "heavy-blur.csv")
    with _chart(3.4) as (figure, axes):
        axes.plot((0, 14), (0, 14), color=MUTED, linestyle=(0, (4, 3)), linewidth=1, label="as it should be")
        for shape, colour in (("gaussian", BETTER), ("disc", AMBER)):
            for stored, line in (("PNG", "-"), ("JPEG 85", ":")):
                found = [row for row in rows if (row["blur"], row["stored as"]) == (shape, stored)]
                sigma, read = ([float(row[key]) for row in found] for key in ("sigma", "mean"))
                said = f"{'Gaussians' if shape == 'gaussian' else 'discs'}, {stored}"
                axes.plot(sigma, read, line, color=colour, marker="o", markersize=4, linewidth=1.6, label=said)
        alone = [row for row in rows if (row["blur"], row["stored as"]) == ("disc", "PNG")]
        sigma, read = ([float(row[key]) for row in alone] for key in ("sigma", "alone"))
        axes.plot(sigma, read, color=MUTED, linewidth=1.2, label="discs, PNG: the network alone")
        axes.set_xticks(range(0, 21, 4))
        axes.set(xlim=(0, 21), ylim=(0, 14), xlabel="true blur: sigma (px)", ylabel="the map reads (px)")
        axes.legend(loc="upper left", fontsize=8)
        return _svg(figure)


def comparison() -> str:
    """Each method's PSNR minus SFT-Dec's with its interval, of reports/table2.csv: photos unseen, equal time."""
    from sftdec.reporting import BETTER, MUTED, RULE, WORSE
    from sftdec.reporting import INK as BLACK

    rows = [
        row
        for row in _rows(ROOT / "reports/table2.csv")
        if (row["dataset"], row["budget"]) == ("unseen", "equal_time") and row["psnr_low"]
    ]
    rows.sort(key=lambda row: float(row["psnr_difference"]))
    with _chart(4.2) as (figure, axes):
        axes.axvline(0, color=BLACK, linewidth=1)
        for place, row in enumerate(rows):
            middle, low, high = (float(row[f"psnr_{key}"]) for key in ("difference", "low", "high"))
            colour = WORSE if high < 0 else BETTER if low > 0 else MUTED
            axes.plot((low, high), (place, place), color=colour, linewidth=2)
            axes.plot(middle, place, "o", color=colour, markersize=5)
        axes.set_yticks(range(len(rows)), [row["title"] for row in rows])
        axes.grid(axis="x", color=RULE, linewidth=0.6)
        axes.grid(visible=False, axis="y")
        axes.set_xlabel("PSNR minus SFT-Dec's (dB)")
        return _svg(figure)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


DRAWN: dict[str, Callable[[], str]] = {
    "pipeline.svg": pipeline,
    "training.svg": training,
    "deploy.svg": services,
    "image-formation.svg": lens,
    "heavy-blur.svg": heavy_blur,
    "comparison.svg": comparison,
}

if __name__ == "__main__":
    for name, draw in DRAWN.items():
        (FOLDER / name).write_text(draw(), "utf-8")

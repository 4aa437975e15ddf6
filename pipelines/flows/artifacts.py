"""What an execution leaves on its Prefect page, as one of Markdown: what was done and decided, figures, pictures."""

import base64
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact

from pipelines.dvc import StageResult
from sftdec.tracking import TrackingSettings

FIGURE_WIDTH = 1000  # px
SHEET = ("contact_sheet", "training_curves", "gains")  # of reports/figures/evaluation; its panels are in the first
GATE = Path(".tracking/gate.json")  # in the project that the register stage ran in

Figures = Mapping[str, Mapping[str, Any]]  # by data set and measure
Row = Mapping[str, object]


def publish(key: str, description: str, parts: Sequence[str]) -> None:
    """The flow run's page; parts that are empty are left out."""
    create_markdown_artifact("\n\n".join(part for part in parts if part), key=key, description=description)


def table(rows: Sequence[Row]) -> str:
    """Rows of the same keys in Markdown, which are its head."""
    if not rows:
        return ""
    lines = [[*rows[0]], ["---"] * len(rows[0]), *([_shown(value) for value in row.values()] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def picture(name: str, content: bytes, kind: str) -> str:
    """A picture that the page carries in itself: the server and the browser may be elsewhere."""
    return f"![{name}](data:image/{kind};base64,{base64.b64encode(content).decode('ascii')})"


def summary(results: Sequence[StageResult], notes: Sequence[str] = ()) -> str:
    """What ran, what the register stage said of its decision, and where to look further."""
    nothing = all(result.outcome == "unchanged" for result in results)
    rows = [
        {"stage": result.stage, "outcome": result.outcome, "seconds": round(result.seconds, 1)} for result in results
    ]
    said = [
        "\n".join(["### What the register stage said", "```", *result.last_lines, "```"])
        for result in results
        if result.stage == "register" and result.last_lines
    ]
    unchanged = ["Nothing changed: every stage is up to date."] if nothing else []
    return "\n\n".join([*unchanged, table(rows), *said, *notes])


def gate_decision(root: Path) -> dict[str, Any]:
    """What the register stage of the project at ``root`` has written of its decision; empty where it wasn't asked."""
    path = root / GATE
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def gate(decision: Mapping[str, Any]) -> str:
    """What the gate decided, why, and by which figures."""
    if not decision:
        return ""
    verdict = "promoted" if decision.get("promoted") else "not promoted"
    before = f"Version {decision['previous']} served before." if decision.get("previous") is not None else ""
    figures = [{"figure": name, "value": value} for name, value in (decision.get("figures") or {}).items()]
    parts = [
        f"## Version {decision.get('version')}: {verdict}",
        str(decision.get("reason", "")),
        before,
        table(figures),
    ]
    return "\n\n".join(part for part in parts if part)


def metrics(root: Path, champion: Figures | None = None, champion_name: str = "champion") -> str:
    """reports/metrics.json, a row a data set; with the champion's figures, those and the difference too."""
    path = root / "reports" / "metrics.json"
    if not path.is_file():
        return ""
    return comparison(json.loads(path.read_text("utf-8")), "this execution", champion, champion_name)


def comparison(figures: Figures, name: str, others: Figures | None, other_name: str) -> str:
    """Two models' figures: a row a data set and model, and one of what the first has over the second."""
    rows: list[Row] = []
    for dataset, mine in figures.items():
        if others is None:
            rows.append({"data set": dataset, **mine})
            continue
        theirs = {measure: others.get(dataset, {}).get(measure) for measure in mine}
        gains = {measure: _difference(mine[measure], theirs[measure]) for measure in mine}
        named = ((name, mine), (other_name, theirs), ("difference", gains))
        rows += [{"data set": dataset, "model": model, **row} for model, row in named]
    return table(rows)


def registered_figures(tags: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """The figures that a registered version's tags hold, as metrics.json has them."""
    figures: dict[str, dict[str, float]] = {}
    for tag, text in tags.items():
        parts = tag.split(".")
        if parts[0] == "metric" and len(parts) > 2 and re.fullmatch(r"-?(\d+(\.\d*)?(e-?\d+)?|inf|nan)", text):
            figures.setdefault(".".join(parts[1:-1]), {})[parts[-1]] = float(text)
    return figures


def sheet(root: Path) -> str:
    """The pictures of an evaluation below one another on white, as one, FIGURE_WIDTH px wide."""
    from PIL import Image

    folder, pages = root / "reports" / "figures" / "evaluation", []
    for path in (folder / f"{name}.png" for name in SHEET):
        if path.is_file():
            with Image.open(path) as opened:
                size = (FIGURE_WIDTH, max(1, round(opened.height * FIGURE_WIDTH / opened.width)))
                pages.append(opened.convert("RGBA").resize(size, Image.Resampling.LANCZOS))
    if not pages:
        return ""
    whole, top = Image.new("RGBA", (FIGURE_WIDTH, sum(page.height for page in pages)), "white"), 0
    for page in pages:
        whole.alpha_composite(page, (0, top))
        top += page.height
    jpeg = io.BytesIO()
    whole.convert("RGB").save(jpeg, "JPEG", quality=85)
    return picture("evaluation", jpeg.getvalue(), "jpeg")


def where_the_run_is(settings: TrackingSettings, pipeline_run: str | None) -> list[str]:
    """The MLflow run of an execution: its page where a server keeps it, else how to open one."""
    if not pipeline_run:
        return []
    if not settings.is_remote:
        return [f"`make ui` opens the MLflow UI. This execution is run `{pipeline_run}` there, its stages below it."]
    page = f"{settings.page}/#/runs/{pipeline_run}"
    return [f"This execution in MLflow: [run {pipeline_run}]({page}), its stages below it."]


def _shown(value: object) -> str:
    """A cell of a table: a figure with four decimals that count, nothing for what isn't known."""
    if isinstance(value, float):
        return f"{round(value, 4):g}" if abs(value) < 1e4 else str(value)
    return "" if value is None else str(value).replace("|", "\\|")


def _difference(mine: object, theirs: object) -> float | None:
    if isinstance(mine, int | float) and isinstance(theirs, int | float):
        return mine - theirs if math.isfinite(mine - theirs) else None
    return None

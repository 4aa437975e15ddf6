"""What an execution leaves on its Prefect page: figures beside the champion's, pictures, the gate's word, a summary."""

import base64
import io
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from pipelines.dvc import StageResult
from sftdec.tracking import TrackingSettings

FIGURE_WIDTH = 1000
GATE = Path(".tracking/gate.json")  # in the project that the register stage ran in

Figures = Mapping[str, Mapping[str, Any]]  # by data set and measure


def publish_metrics(root: Path, champion: Figures | None = None, champion_name: str = "champion") -> None:
    """reports/metrics.json as a table, a row a data set; with the champion's figures, those and the difference too."""
    path = root / "reports" / "metrics.json"
    if path.is_file():
        publish_comparison(json.loads(path.read_text("utf-8")), "this execution", champion, champion_name)


def publish_comparison(
    metrics: Figures, name: str, others: Figures | None, other_name: str, key: str = "metrics"
) -> None:
    """Two models' figures as a table: a row a data set and model, and one of what the first has over the second."""
    rows: list[dict[str, Any]] = []
    for dataset, values in metrics.items():
        mine = {measure: _shown(value) for measure, value in values.items()}
        if others is None:
            rows.append({"data set": dataset, **mine})
            continue
        theirs = {measure: _shown(others.get(dataset, {}).get(measure)) for measure in mine}
        gains = {measure: _difference(mine[measure], theirs[measure]) for measure in mine}
        named = ((name, mine), (other_name, theirs), ("difference", gains))
        rows += [{"data set": dataset, "model": model, **row} for model, row in named]
    create_table_artifact(rows, key=key, description="Restoration quality on the scenes to judge by")


def registered_figures(tags: Mapping[str, str]) -> dict[str, dict[str, float]]:
    """The figures that a registered version's tags hold, as metrics.json has them."""
    figures: dict[str, dict[str, float]] = {}
    for tag, text in tags.items():
        parts = tag.split(".")
        if parts[0] == "metric" and len(parts) > 2 and re.fullmatch(r"-?(\d+(\.\d*)?(e-?\d+)?|inf|nan)", text):
            figures.setdefault(".".join(parts[1:-1]), {})[parts[-1]] = float(text)
    return figures


def publish_figures(root: Path) -> None:
    """reports/figures/evaluation/*.png, carried inside the artifacts: the server and the browser may be elsewhere.

    Markdown, because the page of an image artifact writes the address out as well, all 100 KB of it.
    """
    for path in sorted((root / "reports" / "figures" / "evaluation").glob("*.png")):
        key = "figure-" + re.sub(r"[^a-z0-9]+", "-", path.stem.lower()).strip("-")
        address = "data:image/jpeg;base64," + base64.b64encode(_as_jpeg(path)).decode("ascii")
        name = path.relative_to(root).as_posix()
        create_markdown_artifact(f"![{name}]({address})", key=key, description=name)


def publish_gate(root: Path) -> None:
    """What the gate decided, why, and by which figures; nothing where it wasn't asked."""
    path = root / GATE
    if not path.is_file():
        return
    decision = json.loads(path.read_text("utf-8"))
    verdict = "promoted" if decision.get("promoted") else "not promoted"
    text = [f"## Version {decision.get('version')}: {verdict}", "", str(decision.get("reason", "")), ""]
    if decision.get("previous") is not None:
        text += [f"Version {decision['previous']} served before.", ""]
    figures = decision.get("figures") or {}
    text += ["| figure | value |", "|---|---:|"] if figures else []
    text += [f"| {name} | {_shown(value)} |" for name, value in figures.items()]
    create_markdown_artifact("\n".join(text), key="gate", description="What the gate decided")


def publish_summary(results: Sequence[StageResult], notes: Sequence[str] = ()) -> None:
    """What ran, what the register stage said of its decision, and where to look further."""
    nothing = all(result.outcome == "unchanged" for result in results)
    text = ["Nothing changed: every stage is up to date.", ""] if nothing else []
    text += ["| stage | outcome | seconds |", "|---|---|---:|"]
    text += [f"| {result.stage} | {result.outcome} | {result.seconds:.1f} |" for result in results]
    for result in results:
        if result.stage == "register" and result.last_lines:
            text += ["", "### What the register stage said", "```", *result.last_lines, "```"]
    for note in notes:
        text += ["", note]
    create_markdown_artifact("\n".join(text), key="summary", description="What this execution did")


def where_the_run_is(settings: TrackingSettings, pipeline_run: str | None) -> list[str]:
    """The MLflow run of an execution: its page where a server keeps it, else how to open one."""
    if not pipeline_run:
        return []
    if not settings.is_remote:
        return [f"`make ui` opens the MLflow UI. This execution is run `{pipeline_run}` there, its stages below it."]
    from sftdec.tracking import open_client

    experiment = open_client(settings).get_run(pipeline_run).info.experiment_id
    page = f"{settings.page}/#/experiments/{experiment}/runs/{pipeline_run}"
    return [f"This execution in MLflow: [run {pipeline_run}]({page}), its stages below it."]


def _shown(value: object) -> object:
    """A metric as a table takes it: four decimals, and a word for infinity, which JSON hasn't."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else str(value)
    return value


def _difference(mine: object, theirs: object) -> object:
    if isinstance(mine, int | float) and isinstance(theirs, int | float):
        return round(mine - theirs, 4)
    return None


def _as_jpeg(path: Path) -> bytes:
    """A picture on white, at most FIGURE_WIDTH px wide."""
    from PIL import Image

    with Image.open(path) as picture:
        layer = picture.convert("RGBA")
    page = Image.new("RGBA", layer.size, "white")
    page.alpha_composite(layer)
    if page.width > FIGURE_WIDTH:
        height = max(1, round(page.height * FIGURE_WIDTH / page.width))
        page = page.resize((FIGURE_WIDTH, height), Image.Resampling.LANCZOS)
    jpeg = io.BytesIO()
    page.convert("RGB").save(jpeg, "JPEG", quality=85)
    return jpeg.getvalue()

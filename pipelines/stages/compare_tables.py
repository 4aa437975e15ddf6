"""DVC stage tables of the comparison: what was judged and measured → build/comparison/tables, published in reports/."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from PIL import Image

from pipelines.stages.entry import run_stage
from pipelines.stages.made_from import REPORTS, publish
from sftdec.experiments import (
    BUDGETS,
    PANEL_BUDGET,
    Comparison,
    Trained,
    load_comparison,
    read_judged,
    write_panels,
    write_tables,
)
from sftdec.runtime import atomic_path

BUILD, FOLDER = Path("build/comparison"), Path("experiments/comparison")
QUALITY = 92  # of a panel's copy


def trainings(comparison: Comparison) -> pd.DataFrame:
    """Steps of each model's training on each budget, their minutes, and whether the weights are there."""
    rows = []
    for model, parts in comparison.models.items():
        for budget in BUDGETS:
            steps = comparison.steps_of(model, budget)
            seconds = sum(count * parts[name].seconds for name, count in steps.items())
            there = Trained(model, budget).weights(BUILD).is_file()
            rows.append((model, budget, sum(steps.values()), seconds / 60, there))
    return pd.DataFrame(rows, columns=["model", "budget", "steps", "minutes", "trained"])


def _shrunk(pictures: Sequence[Path], folder: Path) -> None:
    """Copies for Git, which keeps every one for good: a fifth of a PNG's bytes."""
    for file in pictures:
        with Image.open(file) as picture, atomic_path(folder / f"{file.stem}.webp") as temporary:
            picture.convert("RGB").save(temporary, "WEBP", quality=QUALITY)


def main() -> None:
    """Compare what there is."""
    comparison = load_comparison(FOLDER / "params.yaml")
    report = comparison.report
    judged = read_judged(BUILD / "judged")
    costs = pd.read_csv(BUILD / "costs.csv")
    tables = BUILD / "tables"
    shutil.rmtree(tables, ignore_errors=True)
    training = trainings(comparison)
    written = write_tables(judged[judged["split"] == report.split], costs, training, tables)
    trained = set(training.loc[(training["budget"] == PANEL_BUDGET) & training["trained"], "model"])
    places = (BUILD / "pictures", tables / "panels")
    shown = write_panels(Path("build/scenes"), report.split, *places, comparison.models, trained)
    figures = REPORTS / "figures" / "comparison"
    shutil.rmtree(figures, ignore_errors=True)
    publish("comparison", written)
    _shrunk(sorted((tables / "panels").iterdir()), figures)
    print(f"{judged['model'].nunique()} methods compared; panels of {', '.join(shown)}")


if __name__ == "__main__":
    run_stage(main)

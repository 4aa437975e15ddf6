"""The rate that suits each network of experiments/comparison: chosen on validation photos, the trial kept.

    python benchmarks/peer_rates.py [--models ifan nafnet32] [--rates 0.001 0.002 0.004] [--steps 300]

Each network's last part (SFT-Dec's rates stand in params.yaml) is trained from scratch for so many steps at each rate,
all of its fall; that with the best PSNR on the validation photos is chosen, of a network for maps alone that with the
least error. While the best is at an end of those tried, the next beyond it, half or twice as much, is tried as well.
The trial is written to experiments/comparison/rates.csv network by network; what stands there isn't trained again.
Needs build/scenes and build/patches (dvc repro patches). Half an hour and more on two cores.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd

from sftdec.experiments import OURS, Comparison, Trained, fresh_network, load_comparison, objectives
from sftdec.params import Params, load_params
from sftdec.runtime import compute_exactly
from sftdec.training import PeerObjective, train_on_build

FOLDER = Path("experiments/comparison")
COLUMNS = ("model", "rate", "steps", "validation_psnr", "validation_mae", "chosen")


def trained_at(model: str, rate: float, comparison: Comparison, params: Params) -> dict[str, float]:
    """What a network reaches on the validation photos after a training at a rate."""
    *_, objective = objectives(comparison, params, Trained(model, "equal_steps"))
    assert isinstance(objective, PeerObjective)
    length = objective.params.model_copy(update={"validate_every": comparison.steps, "steps": comparison.steps})
    recipe = replace(objective.recipe, learning_rate=rate, trains=("",))
    with tempfile.TemporaryDirectory() as folder:
        _, curve, _ = train_on_build(
            fresh_network(model, comparison, params),
            replace(objective, params=length, recipe=recipe),
            Path("build"),
            Path(folder),
            None,
        )
    return {name: curve[-1][name] for name in ("validation_psnr", "validation_mae")}


def best(tried: dict[float, dict[str, float]]) -> float:
    """The rate to choose: the highest PSNR; of a network for maps alone, which leaves every photo as it is, the least
    error.
    """
    table = pd.DataFrame(tried).T
    if table["validation_psnr"].nunique() == 1 and table["validation_mae"].notna().all():
        return float(table["validation_mae"].idxmin())
    return float(table["validation_psnr"].idxmax())


def tried_of(model: str, rates: list[float], comparison: Comparison, params: Params) -> pd.DataFrame:
    """The whole trial of a network."""
    tried: dict[float, dict[str, float]] = {}
    ahead = sorted(rates)
    while ahead:
        rate = ahead.pop(0)
        tried[rate] = trained_at(model, rate, comparison, params)
        print(f"{model:15} {rate:8g}  PSNR {tried[rate]['validation_psnr']:.3f}  "
              f"map {tried[rate]['validation_mae']:.4f}", flush=True)  # fmt: skip
        if not ahead and best(tried) == max(tried):
            ahead = [2 * max(tried)]
        elif not ahead and best(tried) == min(tried):
            ahead = [min(tried) / 2]
    rows = [
        {"model": model, "rate": rate, "steps": comparison.steps, **found, "chosen": rate == best(tried)}
        for rate, found in sorted(tried.items())
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def main() -> None:
    """Try the rates of the networks named."""
    comparison, params = load_comparison(FOLDER / "params.yaml"), load_params(Path("params.yaml"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    others = [model for model in comparison.models if model != OURS]
    parser.add_argument("--models", nargs="+", choices=others, default=others)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.001, 0.002, 0.004])
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--out", type=Path, default=FOLDER / "rates.csv")
    given = parser.parse_args()
    compute_exactly(params.train.common.threads)
    comparison = comparison.model_copy(update={"steps": given.steps})
    table = pd.read_csv(given.out) if given.out.exists() else pd.DataFrame(columns=COLUMNS)
    for model in given.models:
        if model in set(table["model"]):
            continue
        found = tried_of(model, given.rates, comparison, params)
        table = found if table.empty else pd.concat([table, found])
        table.round({"validation_psnr": 3, "validation_mae": 4}).to_csv(given.out, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()

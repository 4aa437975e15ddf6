"""Small judged tables, costs and trainings, as the stages make them."""

import numpy as np
import pandas as pd

from sftdec.experiments.tables.costs import COLUMNS as COST_COLUMNS
from sftdec.experiments.tables.judged import JUDGED_COLUMNS
from sftdec.experiments.tables.methods import BUDGET_TITLES, CLASSICAL, TABLE_1, TABLE_2, UNTRAINED

PHOTOS = {"cup": 3, "street": 2, "cat": 1}  # scenes of each
LEVELS = np.array([24.0, 31.0, 27.0, 22.0, 35.0, 29.0])  # dB of the scenes: they differ far more than methods do


def judged_rows(model, budget="equal_time", gain=0.0, mae=0.1, dataset="sample", weights=None, gains=None):
    """A method whose PSNR is ``gain`` (or each scene's own of ``gains``) above the scene's level."""
    photos = [photo for photo, count in PHOTOS.items() for _ in range(count)]
    levels = LEVELS + (gain if gains is None else np.array(gains))
    rows = pd.DataFrame(
        {
            "dataset": dataset,
            "scene": [f"{dataset}/{photo}_{number}" for number, photo in enumerate(photos)],
            "photo": photos,
            "psnr": levels,
            "psnr_blurred": LEVELS - 1,
            "ssim": 0.8 + 0.01 * (levels - LEVELS),
            "ssim_blurred": 0.75,
            "mae": mae,
            "mse": mae**2,
            "mae_constant": 0.2,
            "mse_constant": 0.05,
            "mae_constant_own": 0.15,
            "height": 48,
            "width": 64,
            "model": model,
            "budget": budget,
            "split": "test",
            "weights": (f"sha-{model}-{budget}" if budget != UNTRAINED else "") if weights is None else weights,
        }
    )
    return rows[JUDGED_COLUMNS]


def all_judged(without=()):
    """Every method at every budget, the later in a table the better."""
    names = [method.judged for table in (TABLE_1, TABLE_2) for method in table.methods]
    tables = []
    for number, name in enumerate(dict.fromkeys(names)):
        for budget in [UNTRAINED] if name in CLASSICAL else BUDGET_TITLES:
            if name not in without and (name, budget) not in without:
                tables.append(judged_rows(name, budget, gain=number / 10, mae=0.1 + number / 100))
    return pd.concat(tables, ignore_index=True)


def costs(methods=("sft_dec", "dpdnet", "karaali_jung", "karaali_jung+deconvolution")):
    rows = [(method, 0.5 + number, 50.0, 1.25, 321.0, 0.25, 3, 2) for number, method in enumerate(methods)]
    return pd.DataFrame(rows, columns=COST_COLUMNS)


def training(models=("sft_dec", "dpdnet"), trained=()):
    rows = [(model, budget, 1234, 10.0, model in trained) for model in models for budget in BUDGET_TITLES]
    return pd.DataFrame(rows, columns=["model", "budget", "steps", "minutes", "trained"])

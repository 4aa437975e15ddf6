"""How the network was trained, and how to make everything again."""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd

from sftdec.params import Params
from sftdec.reporting.embedding import png_uri
from sftdec.reporting.plots import training_curves
from sftdec.reporting.report.material import Material
from sftdec.reporting.style import png_bytes
from sftdec.runtime import dump_yaml

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNED = {"lambda_1": "map L1", "lambda_2": "picture L1", "lambda_3": "picture weighted L2"}  # eq. 7 and 8


def training_part(material: Material) -> dict[str, Any] | None:
    """Curves as pictures for wide and narrow pages, and a row a stage; None without curves."""
    curves = material.curves
    if not curves:
        return None
    scenes = None
    if material.patches is not None:
        scenes = pd.read_parquet(material.patches / "index.parquet", columns=["scene"])["scene"].nunique()
    stages = [_stage(stage, table, material.params, scenes) for stage, table in curves.items()]
    return {
        "stages": stages,
        "steps": sum(stage["steps"] for stage in stages),
        "epochs": sum(stage["epochs"] or 0.0 for stage in stages),
        "batch": material.params.train.common.batch_size if material.params else None,
        "crop": material.params.train.common.crop if material.params else None,
        "charts": charts(lambda width: training_curves(curves, width)),
    }


def charts(draw: Callable[[float], "Figure"]) -> list[str]:
    """A figure as pictures for a wide page and a phone's, on both of which its letters have 11 px or more."""
    return [png_uri(png_bytes(draw(width))) for width in (9.6, 3.3)]


def _stage(stage: str, table: pd.DataFrame, params: Params | None, scenes: int | None) -> dict[str, Any]:
    """What the table of stages says of one; None for what isn't known."""
    row: dict[str, Any] = {"name": stage, "steps": int(table["step"].max()), "epochs": None, "rate": None, "loss": ""}
    measured = table["validation_psnr"].dropna() if "validation_psnr" in table else pd.Series(dtype=float)
    row |= {"first": None, "best": None}
    if len(measured):
        row |= {"first": float(measured.iloc[0]), "best": float(measured.max())}
    settings = getattr(params.train, stage, None) if params else None
    if params and settings:
        seen = row["steps"] * params.train.common.batch_size
        weights: Mapping[str, float] = settings.loss.model_dump()
        row |= {
            "epochs": seen / scenes if scenes else None,
            "rate": f"{settings.learning_rate:g} → {settings.final_learning_rate:g}",
            "loss": " + ".join(f"{weights[key]:g} × {name}" for key, name in LEARNED.items() if weights.get(key)),
            "kept": settings.keep,
        }
    return row


def making_part(material: Material) -> dict[str, Any] | None:
    """Lineage, parameters and the command that finds the commit; None where none of them is known."""
    if not material.lineage and material.params is None and material.weights is None:
        return None
    digest = hashlib.md5(material.weights.read_bytes()).hexdigest() if material.weights else ""  # as dvc.lock has it
    shown: dict[str, Any] = {}
    if material.params is not None:
        left_out: Any = {"gate": True, "compute": True, "train": {"end_to_end": True}}
        shown = material.params.model_dump(exclude=left_out, exclude_none=True)
    return {
        "lineage": dict(material.lineage),
        "params": dump_yaml(shown) if shown else "",
        "digest": digest,
    }

"""Weights as an MLflow model: packed without pickle, loaded back and compared."""

import base64
import io
import json
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sftdec.registry.packed_code import pack_code
from sftdec.registry.store import MODEL, RegistryError, Version, read_version
from sftdec.runtime import checksum
from sftdec.tracking import TrackingSettings, experiment_id, is_number

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.models import ModelSignature

SERVED_MODEL = Path(__file__).with_name("served_model.py")
REQUIREMENTS = (  # of a base installation and a server; sftdec is on no index, where its name is anybody's
    "lazy-loader",
    "mlflow",
    "numpy",
    "opencv-python-headless",
    "pandas",
    "pillow",
    "safetensors",
    "torch",
    "tqdm",
)
LEVEL_TOLERANCE = 1.5 / 255  # of the deblurred picture; a GPU may round one 8-bit level differently
DEFOCUS_TOLERANCE = 0.004


def create_version(
    client: "MlflowClient",
    settings: TrackingSettings,
    weights: Path,
    run_id: str | None,
    tags: Mapping[str, str],
) -> Version:
    """Log the weights as a model of the run and make it a version with these tags; no alias yet."""
    from mlflow.entities import LoggedModelOutput

    experiment = experiment_id(client, settings)
    logged = client.create_logged_model(experiment, MODEL, run_id, model_type="deblurring")
    with tempfile.TemporaryDirectory() as folder:
        _save_model(Path(folder) / "model", weights, run_id, logged.model_id, logged.artifact_location)
        client.log_model_artifacts(logged.model_id, str(Path(folder) / "model"))
    client.finalize_logged_model(logged.model_id, "READY")
    if run_id is not None:
        client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, step=0)])
    if not client.search_registered_models(f"name = '{MODEL}'"):
        client.create_registered_model(MODEL, description="Single-image defocus deblurring with SFT-Dec")
    source = f"models:/{logged.model_id}"
    made = client.create_model_version(MODEL, source, run_id, dict(tags), model_id=logged.model_id)
    link = json.dumps([{"name": MODEL, "version": made.version}])
    client.set_logged_model_tags(logged.model_id, {"mlflow.modelVersions": link})
    return read_version(client, int(made.version))


def verify(version: Version, weights: Path) -> None:
    """Load the version from the registry as a server would, and compare it with the network itself.

    The caller has made the registry MLflow's global one. Raises whatever loading raises, or ``RegistryError``
    where the deblurred picture or the map differ.
    """
    import mlflow

    from sftdec.registry.served_model import encode_png

    picture = example_picture()
    expected_image, expected_map = _direct_output(weights, picture)
    if not (np.isfinite(expected_image).all() and np.isfinite(expected_map).all()):
        raise RegistryError("the network answers an ordinary picture with NaN")
    path = [*sys.path]
    try:
        with tempfile.TemporaryDirectory() as folder:
            exact = {"precision": "fp32", "max_blur": 0, "everywhere": True}  # as the network itself has it
            model = mlflow.pyfunc.load_model(version.uri, suppress_warnings=True, dst_path=folder, model_config=exact)
            served = model.predict(pd.DataFrame({"image": [encode_png(picture)]})).iloc[0]
    finally:
        sys.path[:] = path  # MLflow has put the version's own code in front, in a folder that is gone
    deblurred = _decode_png(served["deblurred"]).astype(np.float64) / 255
    defocus = _decode_png(served["defocus"]).astype(np.float64) / 65535
    for name, found, expected, tolerance in (
        ("picture", deblurred, expected_image, LEVEL_TOLERANCE),
        ("defocus map", defocus, expected_map, DEFOCUS_TOLERANCE),
    ):
        difference = float(np.abs(found - expected).max()) if found.shape == expected.shape else np.inf
        if not difference <= tolerance:
            raise RegistryError(f"the served {name} differs by {difference:.4f}, at most {tolerance:.4f} is right")


def example_picture() -> np.ndarray:
    """A small picture with edges and gradients, uint8 48×64×3; always the same."""
    y, x = np.mgrid[0:48, 0:64]
    bands = np.stack([x * 4, y * 5, (x + y) % 32 * 8], axis=2)
    return bands.clip(0, 255).astype(np.uint8)


def _decode_png(text: str) -> np.ndarray:
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def _direct_output(weights: Path, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    import torch

    from sftdec.networks import load_weights

    blurred = torch.from_numpy(picture.astype(np.float32) / 255).permute(2, 0, 1)[None]
    with torch.inference_mode():
        restored = load_weights(weights)(blurred)
    image = restored.deblurred[0].permute(1, 2, 0).clamp(0, 1).double().numpy()
    return image, restored.defocus[0, 0].clamp(0, 1).double().numpy()


def log_figures(client: "MlflowClient", version: Version, metrics: Mapping[str, Any], digest: str) -> None:
    """Put a version's figures (as metrics.json has them) onto its logged model, by data set, so that they rank models.

    ``digest``: of the pictures that they were measured on. MLflow wants a run for it: without one nothing is done.
    """
    from mlflow.entities import Metric

    source = str(client.get_model_version(version.name, str(version.number)).source)
    if version.run_id is None or not source.startswith("models:/m-"):  # of an earlier release
        return
    model = source.removeprefix("models:/")
    measured = []
    for moment, (dataset, row) in enumerate(metrics.items(), int(time.time() * 1000)):  # MLflow tells them apart by it
        of = {"model_id": model, "dataset_name": str(dataset), "dataset_digest": digest[:36]}
        numbers = row.items() if isinstance(row, Mapping) else ()
        measured += [Metric(key, float(value), moment, 0, **of) for key, value in numbers if is_number(value)]
    there = {(m.dataset_name, m.key, m.value, m.dataset_digest) for m in client.get_logged_model(model).metrics or ()}
    new = [m for m in measured if (m.dataset_name, m.key, m.value, m.dataset_digest) not in there]
    for start in range(0, len(new), 800):
        client.log_batch(version.run_id, metrics=new[start : start + 800])


def _save_model(folder: Path, weights: Path, run_id: str | None, model_id: str, place: str) -> None:
    import mlflow
    from mlflow.models import Model

    from sftdec.registry.served_model import MAX_MEGAPIXELS, SETTINGS, encode_png

    mlflow.pyfunc.save_model(
        path=str(folder),
        python_model=str(SERVED_MODEL),
        artifacts={"weights": str(weights.resolve())},
        signature=_signature(),
        input_example=pd.DataFrame({"image": [encode_png(example_picture())]}),
        # for served_model.py: what to check the file by, and what a user or server may set otherwise
        model_config={
            "weights_sha256": checksum(weights),
            "max_megapixels": MAX_MEGAPIXELS,
            **dict.fromkeys(SETTINGS),
        },
        code_paths=[str(pack_code(folder.parent / "code"))],
        # named here, since MLflow would otherwise run the model in a process of its own to find them
        pip_requirements=[f"{name}=={_public_version(name)}" for name in REQUIREMENTS],
        mlflow_model=Model(artifact_path=place, run_id=run_id, model_uuid=model_id, model_id=model_id),
    )


def _public_version(package: str) -> str:
    """A package's version without what only one index has, as in 2.13.0+cpu."""
    return metadata.version(package).partition("+")[0]


def _signature() -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec

    from sftdec.registry.served_model import MAX_MEGAPIXELS

    outputs: list[ColSpec | TensorSpec] = [
        ColSpec(DataType.string, "deblurred"),
        ColSpec(DataType.string, "defocus"),
        ColSpec(DataType.double, "sigma_max"),
    ]
    return ModelSignature(
        inputs=Schema([ColSpec(DataType.string, "image"), ColSpec(DataType.string, "mask", required=False)]),
        outputs=Schema(outputs),
        params=ParamSchema(
            [
                ParamSpec("max_megapixels", DataType.double, MAX_MEGAPIXELS),
                ParamSpec("strength", DataType.double, 1.0),
                ParamSpec("only", DataType.string, ""),
            ]
        ),
    )

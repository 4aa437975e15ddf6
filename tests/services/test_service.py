"""The registered model as a service: what it answers to good and bad requests, and what its memory does."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest

from sftdec.registry import MODEL
from sftdec.tracking.settings import fluent_store, read_settings
from tests.services.served import Served, bad_requests, good_requests, mixed, opened, serving
from tests.services.servers import base_environment
from tests.tiny import tiny_weights

pytestmark = pytest.mark.services
REQUESTS = 200
GROWTH = 16 * 2**20  # bytes; of 200 photos that were kept, with their answers, it would be twice as much


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def served(weights: Path, root: Path) -> Iterator[Served]:
    with serving(weights, root) as opened_service:
        yield opened_service


def test_every_kind_of_bad_request_is_refused_with_a_sentence(served: Served) -> None:
    for kind, bad in bad_requests().items():
        answer = served.ask(bad.body, bad.kind)
        assert (answer.status, bad.words in answer.message) == (bad.status, True), (kind, answer)


def test_200_good_requests_among_200_bad_ones_are_all_answered_right_and_memory_stays(
    served: Served, weights: Path
) -> None:
    good = good_requests(weights, 16)
    assert all(served.all_right(mixed(good, REQUESTS // 2)))  # warm: libraries loaded, each client's memory taken
    before = served.memory()
    assert all(served.all_right(mixed(good, REQUESTS)))
    after = served.memory()
    print(f"resident {before / 2**20:.1f} MiB before, {after / 2**20:.1f} MiB after")
    assert after - before < GROWTH


def test_mlflows_load_model_and_predict_command_give_what_the_service_gives(
    served: Served, weights: Path, root: Path, tmp_path: Path
) -> None:
    (good,) = good_requests(weights, 1, seed=5)
    assert served.is_right(good)
    (tmp_path / "photo.json").write_bytes(good.body)
    environment = base_environment(MLFLOW_TRACKING_URI=f"sqlite:///{root / 'mlflow.db'}")
    command = [sys.executable, "-m", "mlflow", "models", "predict", "-m", f"models:/{MODEL}@champion"]
    command += ["--env-manager", "local", "-i", "photo.json", "-o", "answer.json"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True)
    (row,) = json.loads((tmp_path / "answer.json").read_text())["predictions"]
    assert np.array_equal(opened(row["deblurred"]), good.image)
    with fluent_store(read_settings(root, {})):
        model = mlflow.pyfunc.load_model(f"models:/{MODEL}@champion")
    row = model.predict(pd.DataFrame(json.loads(good.body)["dataframe_records"])).iloc[0]
    assert np.array_equal(opened(row["deblurred"]), good.image)
    assert np.array_equal(opened(row["defocus"]), good.defocus)

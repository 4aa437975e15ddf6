"""The champion judged again, over a registry with a small network and two small scenes."""

import re
from types import SimpleNamespace

import pytest
from prefect.blocks.webhook import Webhook
from prefect.variables import Variable

from pipelines.flows import alarms
from pipelines.flows.reevaluate import reevaluate, verdict
from sftdec.datasets import load_scenes
from sftdec.datasets.scene import write_index, write_scene
from sftdec.evaluation.evaluate import evaluate_network, summarise, training_window
from sftdec.networks import build_network, load_weights, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.registry import SCENES_TAG, Judge, register
from sftdec.tracking import read_settings
from sftdec.tracking.settings import open_client
from tests.evaluation.scenes import make_scene
from tests.pipelines.flows import page_of
from tests.pipelines.receiver import receiving

REGISTERED = {"sample": {"psnr": 27.5, "images": 12.0}}


def test_the_verdict_names_the_figure_that_moved_most_and_what_may_have_moved_it():
    uri = "models:/sft-dec/3"
    now = {"sample": {"psnr": 27.4, "images": 12, "ssim": 0.9}}
    assert verdict(uri, REGISTERED, REGISTERED, True) == (
        True,
        f"{uri} still gives the figures that it was registered with.",
    )
    moved = f"{uri} no longer gives its registered figures: sample.psnr is 27.4, was 27.5, "
    holds, said = verdict(uri, now, REGISTERED, True)
    assert not holds and said.startswith(f"{moved}on the scenes that it was registered with")
    assert verdict(uri, now, REGISTERED, False) == (
        None,
        f"{uri}: the scenes aren't those that its registered figures are of, so there is nothing to compare.",
    )
    holds, said = verdict(uri, {"other": {"psnr": 1.0}}, REGISTERED, True)
    assert holds is None and "nothing to compare" in said


@pytest.mark.slow
def test_a_registered_version_gives_its_figures_and_is_told_when_it_does_not(tmp_path, prefect_server, monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    scenes = [make_scene(f"sample/{name}", seed=seed) for seed, name in enumerate("ab")]
    folder = tmp_path / "build/scenes"
    write_index(folder, [write_scene(folder, scene) for scene in scenes])
    weights = tmp_path / "weights.safetensors"
    save_weights(build_network(NetworkConfig.of_size("small"), 0), weights)
    network = load_weights(weights)
    found = load_scenes(folder, "test")
    metrics = summarise(evaluate_network(network, found, local_pooling=training_window(network)))
    version = register(weights, None, metrics, tmp_path, Judge(folder, "test", "cpu", tmp_path).basis)

    state = reevaluate(version.uri, root=tmp_path, device="cpu", return_state=True)
    assert state.result() == metrics
    page = page_of(state)
    assert page.startswith(f"{version.uri} still gives the figures that it was registered with.")
    assert re.search(
        r"\| now (\| .*)\n\| sample \| registered \(version 1\) \1\n\| sample \| difference (\| 0 )+\|$", page
    )

    settings = read_settings(tmp_path)
    client = open_client(settings)
    client.set_model_version_tag("sft-dec", "1", "metric.sample.psnr", "99.0")
    state = reevaluate(version.uri, root=tmp_path, device="cpu", return_state=True)
    assert state.is_failed() and "no longer gives its registered figures: sample.psnr is" in state.message
    assert page_of(state).startswith(f"{version.uri} no longer gives")
    (run, _) = client.search_runs(["1"], "tags.`sftdec.stage` = 'reevaluate'") or (None, None)
    assert (
        "no longer gives" in run.data.tags["verdict"] and run.data.metrics["sample.psnr"] == metrics["sample"]["psnr"]
    )

    client.set_model_version_tag("sft-dec", "1", SCENES_TAG, "others")
    monkeypatch.setattr(alarms, "PREFECT_API_URL", SimpleNamespace(value=lambda: None))  # as where no server is
    with receiving() as (address, received):
        Webhook(url=address).save("ops", overwrite=True)
        Variable.set(alarms.VARIABLE, "webhook/ops", overwrite=True)
        state = reevaluate(version.uri, root=tmp_path, device="cpu", return_state=True)
    assert state.is_completed() and "nothing to compare" in received[0]["body"]

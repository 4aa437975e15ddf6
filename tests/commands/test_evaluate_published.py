"""``sftdec evaluate --data FOLDER --protocol P``."""

import json

import cv2
import numpy as np
import pandas as pd
import pytest
import torch
from mlflow import MlflowClient

from sftdec.cli import main
from sftdec.evaluation import PROTOCOLS
from tests.peers import original_forwards as forwards
from tests.peers.original_names import nafnet, random_weights


@pytest.fixture
def released(tmp_path, monkeypatch):
    """DPDD's test part with three pairs, and released weights of a small network, in a folder of their own."""
    random = np.random.default_rng(0)
    for folder in ("source", "target"):
        (tmp_path / "test_c" / folder).mkdir(parents=True)
    for number in range(3):
        sharp = cv2.resize(
            random.integers(0, 65536, (8, 8, 3)).astype(np.uint16), (64, 48), interpolation=cv2.INTER_CUBIC
        )
        cv2.imwrite(str(tmp_path / f"test_c/target/1P0A10{2 * number + 1:02d}.png"), sharp)
        cv2.imwrite(str(tmp_path / f"test_c/source/1P0A10{2 * number:02d}.png"), cv2.GaussianBlur(sharp, (0, 0), 2))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SFTDEC_TRACKING", "off")
    return tmp_path


def evaluate(capsys, *more):
    assert main(["evaluate", "--data", "test_c", "--protocol", "dpdd", *more]) == 0
    return json.loads(capsys.readouterr().out)


def test_every_pair_is_measured_once_and_nothing_is_left_in_the_folder(released, capsys, monkeypatch):
    found = evaluate(capsys, "--model", "builtin", "--out", "results.csv")
    table = pd.read_csv(released / "results.csv")
    assert found["images"] == len(table) == 3 and found["psnr"] == pytest.approx(table["psnr"].mean(), abs=1e-6)
    assert "DPDNet/metrics.py" in found["protocol"] and not (released / "mlflow.db").exists()

    def refuse(*_, **__):
        raise AssertionError("measured again")

    monkeypatch.setattr("sftdec.inference.deblur_array", refuse)
    assert evaluate(capsys, "--model", "builtin") == found
    cv2.imwrite(str(released / "test_c/target/1P0A1001.png"), np.full((48, 64, 3), 30000, np.uint16))
    with pytest.raises(AssertionError, match="measured again"):
        evaluate(capsys, "--model", "builtin")


def test_what_other_code_or_packages_measured_is_measured_again(released, capsys, monkeypatch):
    evaluate(capsys, "--model", "builtin")
    measured = []
    monkeypatch.setattr("sftdec.inference.deblur_array", lambda _, blurred, *__: measured.append(1) or (blurred, None))
    for module, value in (("perceptual_packages", ["lpips 0.1.4"]), ("code_checksum", "other code")):
        monkeypatch.setattr(f"sftdec.experiments.published.{module}", lambda *_, value=value: value)
        evaluate(capsys, "--model", "builtin")
        assert len(measured) == 3
        measured.clear()


def test_a_rivals_released_weights_are_a_model(released, capsys):
    weights = random_weights(nafnet(32))
    torch.save({"params": weights}, released / "NAFNet-width32.pth")
    found = evaluate(capsys, "--model", "nafnet32=NAFNet-width32.pth", "--out", "results.csv")
    first = (
        cv2.imread(str(released / f"test_c/{folder}/1P0A10{number}.png"), -1)
        for folder, number in (("source", "00"), ("target", "01"))
    )
    blurred, sharp = (np.moveaxis(each[..., ::-1] / 65535, 2, 0)[None] for each in first)
    made = forwards.nafnet(weights, torch.from_numpy(blurred.astype(np.float32))).clamp(0, 1).numpy()
    psnr = pd.read_csv(released / "results.csv")["psnr"][0]
    assert psnr == pytest.approx(10 * np.log10(1 / np.mean((made - sharp) ** 2)), abs=1e-3) and found["images"] == 3


def test_in_a_project_measuring_is_a_run(released, capsys, monkeypatch):
    monkeypatch.setenv("SFTDEC_TRACKING", "on")
    (released / "dvc.yaml").write_text("stages: {}\n")
    found = [evaluate(capsys, "--model", "builtin") for _ in range(2)]
    store = MlflowClient(f"sqlite:///{released / 'mlflow.db'}")
    (run,) = store.search_runs([store.get_experiment_by_name("sft-dec-grid").experiment_id])
    assert run.info.run_name == "builtin × test_c, dpdd" and run.data.params["protocol"] == "dpdd"
    assert run.data.metrics["psnr"] == pytest.approx(found[0]["psnr"], abs=1e-6) and found[0] == found[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--data", "test_c"], "by which --protocol"),
        (["--data", "test_c", "--protocol", "dpdd", "--model", "ifan=none.pt"], "there is no file none.pt"),
        (["--data", "test_c", "--protocol", "dpdd", "--model", "oracle"], "takes networks"),
        (["--dataset", "sample", "--protocol", "dpdd"], "give --data FOLDER"),
    ],
)
def test_what_makes_no_sense_is_a_sentence(released, capsys, options, said):
    assert main(["evaluate", *options]) == 2
    assert said in capsys.readouterr().err


def test_the_command_offers_the_protocols_that_there_are():
    from sftdec.commands.evaluate import PROTOCOLS as OFFERED

    assert tuple(PROTOCOLS) == OFFERED

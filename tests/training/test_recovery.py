"""Losses that are no number, and memory that doesn't suffice."""

import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sftdec.runtime.memory import is_out_of_memory
from sftdec.training import loop
from sftdec.training.objective import Objective
from sftdec.training.recovery import TrainingError, fitting, memory_advice
from sftdec.training.run import train_sft_dec
from sftdec.training.schedule import STAGES
from tests.training.small import ROOT, Killed, make_build, params, train, values


def lose(monkeypatch, bad):
    """Spoil the loss of the steps (counted as they are taken, also again) that ``bad`` holds."""
    true_losses, taken = Objective.losses, [0]

    def losses(self, *given):
        taken[0] += 1
        found = true_losses(self, *given)
        return found._replace(total=found.total * math.nan) if taken[0] in bad else found

    monkeypatch.setattr(Objective, "losses", losses)


def test_a_loss_that_is_no_number_skips_its_step_and_is_counted(build, monkeypatch):
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    lose(monkeypatch, {4, 7, 8})
    heard = []
    network, curve, _ = train_sft_dec(STAGES["s1"], params(), build, build / "c", lambda _, row: heard.append(row))
    assert curve[-1]["skipped"] == heard[-1]["skipped"] == 3
    assert len(heard) == 12 and all(math.isfinite(row["loss"]) for row in curve if "loss" in row)
    assert all(torch.isfinite(weights).all() for weights in network.parameters())


def test_a_skipped_step_moves_no_weight(build, monkeypatch):
    def begun(bad):
        with monkeypatch.context() as patch:
            lose(patch, bad)
            return train(build, "s1", params(steps=6, warm_up=1, checkpoint_every=100))[0]

    assert begun({6}) == begun({6, 7}) != begun(set())


def test_bad_losses_in_a_row_go_back_to_the_last_checkpoint_with_a_smaller_rate(build, monkeypatch, capsys):
    monkeypatch.setattr(loop, "LOG_EVERY", 1)
    lose(monkeypatch, {6, 7, 8})  # steps 5, 6 and 7, the first time; the checkpoint is of step 4
    common = {"bad_steps": 3, "return_rate": 0.25}
    _, curve, _ = train_sft_dec(STAGES["s1"], params(common=common, decay="none", warm_up=0), build, build / "c")
    assert "step 7: 3 losses in a row were no finite number; back to step 4 with 0.25 times" in capsys.readouterr().out
    assert [row["step"] for row in curve] == list(range(1, 13))
    rates = [row["learning_rate"] for row in curve]
    assert rates == pytest.approx([0.002] * 4 + [0.0005] * 8)


def test_a_return_that_is_cut_off_ends_in_the_same_bytes(build, monkeypatch):
    settings = params(common={"bad_steps": 2}, steps=20, checkpoint_every=4)
    with monkeypatch.context() as patch:
        lose(patch, {6, 7})
        whole = train(build, "s1", settings)[0]

    def kill(step, metrics):
        if step >= 10:
            raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(loop, "LOG_EVERY", 1)
        lose(patch, {6, 7})
        with pytest.raises(Killed):
            train_sft_dec(STAGES["s1"], settings, build, build / "cut", kill)
    assert train(build, "s1", settings, "cut")[0] == whole


def test_a_training_that_can_not_be_saved_stops_with_the_patches_of_its_last_batch(build):
    hopeless = params(common={"gradient_clip": None, "bad_steps": 2, "returns": 1}, learning_rate=1e30, warm_up=0)
    with pytest.raises(
        TrainingError,
        match=r"stage s1, step \d+: 2 losses .* going back 1 times .*bad_batch\.json.* train\.s1\.learning_rate",
    ):
        train_sft_dec(STAGES["s1"], hopeless, build, build / "c")
    (path,) = (build / "c").rglob("bad_batch.json")
    found = json.loads(path.read_text())
    assert len(found["patches"]) == 2 and {"scene", "top", "left", "row"} <= found["patches"][0].keys()
    assert found["step"]["loss"] in ("nan", "inf") or found["step"]["gradient_norm"] in ("nan", "inf")


def test_what_fits_is_found_by_halving_the_batch_then_the_crop():
    assert fitting(8, 64, lambda batch, crop: batch * crop**2 <= 3 * 64**2) == (2, 64)
    assert fitting(8, 64, lambda batch, crop: batch * crop**2 <= 1100) == (1, 32)
    assert fitting(8, 64, lambda batch, crop: False) is None


def test_the_advice_names_what_fits():
    assert "set train.common.batch_size: 2, or" in memory_advice(8, 64, 1, (2, 64))
    assert "train.common.accumulate: 4;" in memory_advice(8, 64, 1, (2, 64))
    assert "train.common.crop: 32 and accumulate: 8" in memory_advice(8, 64, 1, (1, 32))
    assert "set train.common.batch_size: 4, or" in memory_advice(4, 64, 1, (2, 64), processes=2)
    assert "not even one crop of 16 px" in memory_advice(8, 64, 1, None)


def test_other_errors_are_not_taken_for_a_lack_of_memory(build, monkeypatch):
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory")) and is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("shapes don't fit")) and not is_out_of_memory(ValueError())

    def broken(self, *given):
        raise RuntimeError("shapes don't fit")

    monkeypatch.setattr(Objective, "losses", broken)
    with pytest.raises(RuntimeError, match="shapes don't fit"):
        train_sft_dec(STAGES["s1"], params(), build, build / "c")


def train_with_little_memory(build: Path, source: Path, megabytes: int) -> str:
    """What a process says that may have so much memory more than it has after its imports."""
    script = (
        "import resource, sys; from pathlib import Path\n"
        "from sftdec.params import load_params; from sftdec.training.run import train_sft_dec\n"
        "from sftdec.training.schedule import STAGES; from sftdec.patches import transforms; import torch\n"
        "params, build = load_params(Path(sys.argv[1])), Path(sys.argv[2])\n"
        "torch.set_num_threads(1); torch.ones(64, 64).requires_grad_().mm(torch.ones(64, 64)).sum().backward()\n"
        "now = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (now + (int(sys.argv[3]) << 20),) * 2)\n"
        "try: train_sft_dec(STAGES['s1'], params, build, build / 'c')\n"
        "except ValueError as error: print(type(error).__name__, error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(source), str(build), str(megabytes)],
        capture_output=True, text=True, env={"PYTHONPATH": str(ROOT / "src"), "PATH": "/usr/bin"},
    )  # fmt: skip
    assert "TrainingError out of memory with 256 crops of 24 px at once" in done.stdout, (
        done.stdout + done.stderr[-2000:]
    )
    return done.stdout


@pytest.mark.slow
def test_memory_that_does_not_suffice_says_which_batch_and_crop_would(tmp_path):
    """A limit is a rough thing: what a failed step leaves behind can fill it, so that nothing fits any more."""
    import yaml

    build, source = make_build(tmp_path / "build"), tmp_path / "params.yaml"
    wide = {"features": 64, "blocks": 8, "stem": 1, "modulation": "baseline"}
    source.write_text(yaml.safe_dump(values(common={"batch_size": 256, "crop": 24}, network=wide)))
    said = ""
    for megabytes in (900, 1000, 700):
        said = train_with_little_memory(build, source, megabytes)
        if "what fits" in said:
            break
    fits = int(said.split("what fits: ")[1].split(" crops")[0])
    assert 1 <= fits < 256 and f"train.common.accumulate: {256 // fits}" in said


def test_a_stage_ends_early_when_validation_finds_nothing_better(build):
    still = params(steps=60, warm_up=0, validate_every=3, patience=2, learning_rate=1e-12, final_learning_rate=0.0)
    network, curve, _ = train_sft_dec(STAGES["s1"], still, build, build / "c")
    ended = curve[-1]["step"]
    assert ended < 60 and {"loss", "validation_psnr"} <= curve[-1].keys()
    again, same, _ = train_sft_dec(STAGES["s1"], still, build, build / "c", lambda *_: pytest.fail("it trained on"))
    assert same == curve and all(map(torch.equal, network.parameters(), again.parameters()))


def test_validation_pictures_come_every_so_many_epochs(build):
    shown = {}
    settings = params(steps=12, pictures_every=4.0)  # two scenes, batches of two: a step an epoch

    def show(key, pixels, step):
        shown[key, step] = pixels

    train_sft_dec(STAGES["s1"], settings, build, build / "c", picture=show)
    assert list(shown) == [("validation/s1", step) for step in (4, 8, 12)]
    assert all(pixels.shape == (48, 4 * 48, 3) and pixels.dtype == "uint8" for pixels in shown.values())

"""Checkpoints: what they belong to, and that they stay whole."""

import json
import resource
import signal
import warnings

import pytest
import torch

from sftdec.datasets import read_index, write_index
from sftdec.networks import save_weights
from sftdec.patches import PatchStore, extract_patches, write_store
from sftdec.training.checkpoint import Checkpoints, checkpoint_key, file_hashes
from sftdec.training.run import code_hashes, train_sft_dec, weights_path
from sftdec.training.schedule import STAGES
from tests.training.small import Killed, kill_at, params, scenes, train


def test_a_checkpoint_that_is_cut_short_gives_way_to_the_one_before(tmp_path):
    saved = Checkpoints(tmp_path, "s1", checkpoint_key(a=1))
    for step in (4, 8, 12):
        saved.save(step, {"step": step})
    files = sorted(saved.folder.glob("*.pt"))
    assert len(files) == 2 and saved.newest()["step"] == 12
    files[-1].write_bytes(files[-1].read_bytes()[:50])
    with pytest.warns(UserWarning, match="can't be read"):
        assert saved.newest()["step"] == 8
    for file in files:
        file.unlink()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert saved.newest() is None


def test_a_checkpoint_says_which_parameters_and_inputs_it_belongs_to(build):
    *_, saved = train_sft_dec(STAGES["s1"], params(learning_rate=0.0017), build, build / "c")
    found = json.loads(saved.newest()["inputs"])
    assert found["stage"]["learning_rate"] == 0.0017 and "index.parquet" in found["patches"]


def test_files_of_one_name_in_two_folders_are_told_apart(tmp_path):
    for folder, text in (("", "a"), ("peers", "b")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "__init__.py").write_text(text)
    assert len(set(file_hashes(tmp_path).values())) == 2


@pytest.mark.parametrize("what", ["checkpoint", "patches"])
def test_a_disk_that_fills_up_loses_nothing(tmp_path, what):
    scene = next(iter(scenes()))
    patches = list(extract_patches(scene, 24, 24))
    saved = Checkpoints(tmp_path, "s1", "key")
    saved.save(1, {"step": 1})
    write_store(tmp_path / "store", patches[:1], 24)
    limits, old_handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (6000, limits[1]))
    try:
        with pytest.raises(OSError, match=r"could not be written|File too large|too large"):
            if what == "checkpoint":
                saved.save(2, {"step": 2, "network": torch.zeros(10_000)})
            else:
                write_store(tmp_path / "store", patches, 24)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, old_handler)
    assert saved.newest()["step"] == 1 and len(PatchStore(tmp_path / "store")) == 1
    assert not list(tmp_path.rglob("*.part"))


def test_a_finished_training_whose_result_was_lost_is_not_done_again(build):
    network, curve, saved = train_sft_dec(STAGES["s1"], params(), build, build / "c")
    save_weights(network, weights_path(build, "s1"))
    saved.finish(weights_path(build, "s1"))
    steps = []
    again, same_curve, _ = train_sft_dec(STAGES["s1"], params(), build, build / "c", lambda step, _: steps.append(step))
    assert steps == [] and same_curve == curve and len(list(saved.folder.iterdir())) == 1  # and it's at work again
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))


def test_another_parameter_starts_afresh_and_leaves_the_old_checkpoint_aside(build):
    with pytest.raises(Killed):
        train_sft_dec(STAGES["s1"], params(), build, build / "cut", kill_at(10))
    with pytest.warns(UserWarning, match=r"s1-\w+: a checkpoint of other parameters, .* starts afresh"):
        fresh, _ = train(build, "s1", params(learning_rate=0.02), "cut")
    assert fresh == train(build, "s1", params(learning_rate=0.02))[0]
    assert list((build / "cut").rglob("*.pt"))


def test_other_training_pictures_are_another_training(build):
    train_sft_dec(STAGES["s1"], params(), build, build / "c")
    patches = [patch for scene in scenes(("train", "train")) for patch in extract_patches(scene, 24, 24)]
    patches[0].blurred[0, 0, 0] ^= 1  # one bit of a blurred picture
    write_store(build / "patches", patches, 24)
    steps = []
    train_sft_dec(STAGES["s1"], params(), build, build / "c", lambda step, _: steps.append(step))
    assert steps


@pytest.mark.parametrize("part", ["blurred", "sharp", "defocus"])
def test_other_validation_photos_or_maps_are_another_training(build, part):
    *_, before = train_sft_dec(STAGES["s1"], params(), build, build / "c")
    index = read_index(build / "scenes")
    index.loc[index["split"] == "validation", f"{part}_sha256"] = "0" * 64
    write_index(build / "scenes", index.to_dict("records"))
    with pytest.warns(UserWarning, match="other parameters, inputs or code"):
        *_, after = train_sft_dec(STAGES["s1"], params(), build, build / "c")
    assert after.folder != before.folder


def test_a_checkpoints_key_holds_the_code_that_decides_the_result_and_no_rivals():
    own = code_hashes("sftdec.training.run", "sftdec.training.objective", "sftdec.networks.sft_dec")
    decides = {"networks/blocks.py", "patches/augment.py", "params/network.py", "training/step.py", "datasets/scene.py"}
    assert decides <= own.keys() and not {"params/schema.py", "runtime/atomic.py", "__init__.py"} & own.keys()
    assert {name for name in own if name.startswith("peers/")} == {"peers/truth.py"}
    peer = code_hashes("sftdec.training.run", "sftdec.training.peer_objective", "sftdec.peers.nafnet")
    assert {"peers/nafnet.py", "training/peer_objective.py"} <= peer.keys() and "peers/ifan.py" not in peer


def test_how_many_processes_load_is_no_other_training(build):
    settings = params()
    assert settings.train.workers == "auto"
    train_sft_dec(STAGES["s1"], settings, build, build / "c")
    loading = settings.model_copy(update={"train": settings.train.model_copy(update={"workers": 1})})
    train_sft_dec(STAGES["s1"], loading, build, build / "c", lambda *_: pytest.fail("it trained anew"))

"""Losses by their equations, the stages, resuming to the same bits."""

import hashlib
import io
import itertools
import re
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch

from sftdec.builtin import builtin_weights
from sftdec.networks import Restoration, WeightsError, build_network, load_weights, save_weights
from sftdec.params import LossParams, ParamsError, load_params
from sftdec.params.network import NetworkConfig
from sftdec.params.train import InitialParams, LossNorm
from sftdec.patches import CropDataset, PatchStore
from sftdec.peers import Truth, build_did_anet
from sftdec.training.losses import blur_weight, deblurring_loss, defocus_map_loss, stage_loss, weighted_deblurring_loss
from sftdec.training.run import StageOrderError, train_sft_dec, weights_path, write_curve
from sftdec.training.schedule import STAGES, learning_rate, total_steps
from tests.training.small import Killed, kill_at, params, train

ROOT = Path(__file__).parents[2]
EQUATION_7 = LossParams(lambda_1=0.2, lambda_2=0.9, lambda_3=0.0)
EQUATION_8 = LossParams(lambda_1=0.0, lambda_2=0.9, lambda_3=0.1)


def pictures(seed=0):
    generator = torch.Generator().manual_seed(seed)
    deblurred, sharp = torch.rand(2, 2, 3, 8, 9, generator=generator)
    estimate, defocus = torch.rand(2, 2, 1, 8, 9, generator=generator)
    return deblurred, estimate, sharp, defocus


def test_losses_are_equations_3_to_8_by_hand():
    deblurred, estimate, sharp, defocus = pictures()
    d, e, s, m = (x.numpy().astype(np.float64) for x in (deblurred, estimate, sharp, defocus))
    lengths = np.sqrt(((d - s) ** 2).sum(axis=1, keepdims=True))
    dme, df, wd = np.abs(e - m).mean(), np.abs(d - s).mean(), (m / m.mean() * lengths).mean()
    assert defocus_map_loss(estimate, defocus).item() == pytest.approx(dme, rel=1e-5)
    assert deblurring_loss(deblurred, sharp).item() == pytest.approx(df, rel=1e-5)
    assert weighted_deblurring_loss(deblurred, sharp, defocus).item() == pytest.approx(wd, rel=1e-5)
    given = (deblurred, estimate, sharp, defocus)
    assert stage_loss(*given, EQUATION_7).total.item() == pytest.approx(0.2 * dme + 0.9 * df)
    assert stage_loss(*given, EQUATION_8).total.item() == pytest.approx(0.9 * df + 0.1 * wd)
    assert [term.item() for term in stage_loss(*given, EQUATION_8)[1:]] == pytest.approx([dme, df, wd])


@pytest.mark.parametrize("defocus", [pictures()[3], torch.zeros(2, 1, 8, 9) + 0.002], ids=["blurred", "hardly blurred"])
def test_the_weighted_loss_is_that_of_did_anet_s_code(defocus):
    deblurred, estimate, sharp, _ = pictures()
    network = build_did_anet(NetworkConfig.of_size("small", features=8, blocks=1))
    theirs = network.loss(Restoration(deblurred, estimate), Truth(deblurred, sharp, defocus))
    plain = torch.linalg.vector_norm(deblurred - sharp, dim=1).mean()
    weighted = weighted_deblurring_loss(deblurred, sharp, defocus)
    assert theirs.item() == pytest.approx((plain + 9 * weighted + 2 * defocus_map_loss(estimate, defocus)).item())


def test_the_other_norms_square_the_difference_and_its_weight_or_not():
    deblurred, _, sharp, defocus = pictures()
    d, s, m = (x.numpy().astype(np.float64) for x in (deblurred, sharp, defocus))
    weight = m / m.mean(axis=(1, 2, 3), keepdims=True)
    for norm, expected in (("square", (weight * (d - s)) ** 2), ("weighted_square", weight * (d - s) ** 2)):
        found = weighted_deblurring_loss(deblurred, sharp, defocus, norm).item()
        assert found == pytest.approx(expected.mean(), rel=1e-5)


@pytest.mark.parametrize("norm", get_args(LossNorm))
def test_a_pixel_that_is_right_pulls_nowhere(norm):
    deblurred, _, sharp, defocus = pictures()
    deblurred[:, :, :4] = sharp[:, :, :4]
    weighted_deblurring_loss(deblurred.requires_grad_(), sharp, defocus, norm).backward()
    assert (deblurred.grad[:, :, :4] == 0).all() and (deblurred.grad[:, :, 4:] != 0).any()


def test_the_weighted_loss_pulls_in_eq_8_about_a_quarter_as_strongly_as_the_plain_one():
    """A norm beside a norm: as a square its gradient was a fiftieth and less, and stage s3 did next to nothing."""
    deblurred, estimate, sharp, defocus = pictures()
    deblurred = (sharp + 0.05 * (deblurred - 0.5)).requires_grad_()

    def pull(**weights):
        loss = LossParams(**{"lambda_1": 0.0, "lambda_2": 0.0, "lambda_3": 0.0} | weights)
        total = stage_loss(deblurred, estimate, sharp, defocus, loss).total
        return torch.autograd.grad(total, deblurred)[0].norm().item()

    assert 0.1 < pull(lambda_3=0.1) / pull(lambda_2=0.9) < 0.4


def test_a_term_of_weight_0_moves_nothing():
    deblurred, estimate, sharp, defocus = (x.requires_grad_() for x in pictures())
    stage_loss(deblurred, estimate, sharp, defocus, EQUATION_8).total.backward()
    assert estimate.grad is None and deblurred.grad.abs().sum() > 0
    total, *terms = stage_loss(deblurred, estimate, sharp, defocus, EQUATION_7)
    total.backward()
    assert estimate.grad.abs().sum() > 0 and not any(term.requires_grad for term in terms)


def test_maps_without_blur_weigh_every_pixel_alike():
    none, half = torch.zeros(1, 1, 4, 4), torch.full((1, 1, 4, 4), 0.5)
    assert torch.equal(blur_weight(none), torch.ones(1, 1, 4, 4))
    assert torch.equal(blur_weight(torch.cat([none, half])), torch.cat([none, 4 * half]))  # by the batch's mean
    assert torch.equal(blur_weight(torch.cat([none, half]), each=True), torch.ones(2, 1, 4, 4))


def moved_by(build, **changes):
    """Which halves of the network stage s3 moves, from the weights of s2."""
    for stage in ("s1", "s2"):
        train(build, stage, params())
    before = load_weights(weights_path(build, "s2")).state_dict()
    after, _, _ = train_sft_dec(STAGES["s3"], params(keep="last", **changes), build, build / "c")
    return {name.split(".")[0] for name, tensor in after.state_dict().items() if not torch.equal(tensor, before[name])}


def test_the_deblurring_loss_moves_the_map_network_unless_the_map_is_detached(build):
    everything = {"defocus_map_estimation", "condition", "deblurring"}
    eq_7, eq_8 = EQUATION_7.model_dump(), EQUATION_8.model_dump()
    assert moved_by(build, loss=eq_8, detach_map=False) == everything
    assert moved_by(build, loss=eq_7, detach_map=True) == everything  # by the maps' own loss
    assert moved_by(build, loss=eq_8, detach_map=True) == {"condition", "deblurring"}


def test_the_stages_are_those_of_section_3_4():
    assert [STAGES[name].guided_by_truth for name in ("s1", "s2", "s3", "end_to_end")] == [True, False, False, False]
    assert [STAGES[name].after for name in ("s1", "s2", "s3", "end_to_end")] == [None, "s1", "s2", None]


def test_no_stage_shows_again_the_crops_of_one_before_it(build):
    store = PatchStore(build / "patches")
    shown = [CropDataset(store, params().train.common, STAGES[name].seed(7))[0] for name in ("s1", "s2", "s3")]
    pairs = itertools.combinations([crops["blurred"] for crops in shown], 2)
    assert not any(torch.equal(first, second) for first, second in pairs)
    assert STAGES["end_to_end"].seed(7) == STAGES["s1"].seed(7) == 7


@pytest.mark.parametrize("file", ["params.yaml", "params.paper.yaml"])
def test_the_shipped_stages_have_the_paper_s_losses(file):
    train = load_params(ROOT / file).train
    assert train.s1.loss == train.s2.loss == train.end_to_end.loss == EQUATION_7 and train.s3.loss == EQUATION_8


def stage_of(**changes):
    values = {"steps": 100, "learning_rate": 0.01, "final_learning_rate": 0.001, "warm_up": 10, "decay": "cosine"}
    return load_params(ROOT / "params.yaml").train.s1.model_copy(update=values | changes)


def test_the_rate_warms_up_and_falls_along_a_cosine():
    rates = [learning_rate(step, 100, stage_of()) for step in range(100)]
    assert rates[:10] == sorted(rates[:10]) and max(rates) == pytest.approx(0.01)
    assert rates[10:] == sorted(rates[10:], reverse=True) and rates[55] == pytest.approx(0.0055, rel=0.01)
    assert learning_rate(80, 100, stage_of(decay="none")) == 0.01


def test_the_rate_falls_in_stairs_to_the_final_one():
    stairs = stage_of(decay="step", decay_every=30, decay_factor=0.2, warm_up=10)
    rates = [learning_rate(step, 100, stairs) for step in (10, 39, 40, 69, 70, 99)]
    assert rates == pytest.approx([0.01, 0.01, 0.002, 0.002, 0.001, 0.001])  # 0.0004 is below the final 0.001


def test_a_stage_is_as_long_as_its_steps_or_its_epochs():
    assert total_steps(stage_of(), 1000, 8) == 100
    assert total_steps(stage_of(steps=None, epochs=2.0), 1000, 16) == 125
    with pytest.raises(ParamsError, match=r"warm_up: found 10, expected fewer than 7 steps \(2 epochs of 56 sc"):
        total_steps(stage_of(steps=None, epochs=2.0), 56, 16)


def test_three_stages_follow_one_another_and_two_runs_end_in_the_same_bytes(build):
    first = [train(build, stage, params(keep="last")) for stage in ("s1", "s2", "s3")]
    again = [train(build, stage, params(keep="last")) for stage in ("s1", "s2", "s3")]
    assert first == again and len({weights for weights, _ in first}) == 3
    assert not list((build / "checkpoints").glob("*"))


@pytest.mark.parametrize("keep", ["last", "best"])
def test_a_training_that_is_cut_off_goes_on_to_the_same_bytes_and_curve(build, keep):
    settings = params(keep=keep)
    whole, curve = train(build, "s1", settings)
    with pytest.raises(Killed):
        train_sft_dec(STAGES["s1"], settings, build, build / "cut", kill_at(10))
    assert list((build / "cut").rglob("*.pt"))
    resumed, same_curve = train(build, "s1", settings, "cut")
    assert resumed == whole and same_curve == curve


def test_what_is_reported_has_every_term(build):
    heard = {}
    train_sft_dec(STAGES["end_to_end"], params(), build, build / "c", lambda step, metrics: heard.update(metrics))
    wanted = {"loss", "loss_dme", "loss_df", "loss_wd", "learning_rate", "gradient_norm", "patches_per_second"}
    assert wanted | {"validation_psnr", "validation_ssim", "validation_mae"} <= heard.keys()


def test_a_stage_without_the_one_before_it_says_which_to_run(build):
    with pytest.raises(StageOrderError, match=r"s1\.safetensors.*dvc repro train_s1"):
        train_sft_dec(STAGES["s2"], params(), build, build / "c")


def test_a_stage_refuses_weights_of_another_network(build):
    save_weights(build_network(NetworkConfig.of_size("small", modulation="sft")), weights_path(build, "s1"))
    with pytest.raises(WeightsError, match="modulation='sft'"):
        train_sft_dec(STAGES["s2"], params(), build, build / "c")


def given(path, sha256=None):
    """``initial`` as params.yaml has it."""
    return {"weights": str(path), "sha256": sha256 or hashlib.sha256(path.read_bytes()).hexdigest()}


def test_a_training_goes_on_from_the_weights_that_are_given(build, tmp_path):
    """With a rate of almost nothing it ends where they are, and not where fresh ones would."""
    network = build_network(params().network, seed=7)
    save_weights(network, path := tmp_path / "initial.safetensors")
    still = {"learning_rate": 1e-12, "final_learning_rate": 0.0}
    for stage in ("s1", "end_to_end"):
        settings = params()
        section = getattr(settings.train, stage).model_copy(update=still | {"initial": InitialParams(**given(path))})
        settings = settings.model_copy(update={"train": settings.train.model_copy(update={stage: section})})
        trained, _, _ = train_sft_dec(STAGES[stage], settings, build, build / stage)
        for name, tensor in trained.state_dict().items():
            assert torch.allclose(tensor, network.state_dict()[name], atol=1e-6), (stage, name)
        fresh = build_network(params().network, settings.train.common.seed)
        assert not torch.allclose(trained.deblurring.first.weight, fresh.deblurring.first.weight, atol=1e-3)


@pytest.mark.parametrize(
    ("initial", "said"),
    [
        (
            lambda path: given(path, "0" * 64),
            r"train\.s1\.initial\.sha256: found 0{12}….*set train\.s1\.initial\.sha256 to",
        ),
        (
            lambda path: {"weights": "nowhere.safetensors", "sha256": "0" * 64},
            r"initial\.weights: found nowhere.*no such",
        ),
        (lambda path: given(builtin_weights()), "weights of another network: features=48"),
    ],
)
def test_initial_weights_that_are_not_the_ones_meant_are_refused(build, tmp_path, initial, said):
    save_weights(build_network(params().network, seed=7), path := tmp_path / "initial.safetensors")
    settings = params()
    section = settings.train.s1.model_copy(update={"initial": InitialParams(**initial(path))})
    settings = settings.model_copy(update={"train": settings.train.model_copy(update={"s1": section})})
    with pytest.raises(WeightsError, match=said):
        train_sft_dec(STAGES["s1"], settings, build, build / "c")


def test_where_the_output_is_no_terminal_a_line_a_minute_says_how_far_it_is(build, capfd, monkeypatch):
    train(build, "s1", params())
    assert capfd.readouterr() == ("", "")
    monkeypatch.setattr("sftdec.training.loop.TOLD_EVERY", 0.0)
    train(build, "s1", params(steps=60))
    lines = capfd.readouterr().err.split("\n")[:-1]
    assert len(lines) == 60
    assert all(
        re.fullmatch(rf"train s1: step {step} of 60, \d\d:\d\d left", line) for step, line in enumerate(lines, 1)
    )


def test_a_terminal_shows_a_bar_with_loss_psnr_and_the_time_that_is_left(build, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    train(build, "s1", params(steps=60, validate_every=25))
    shown = sys.stderr.getvalue().split("\r")[-1]
    assert re.search(r"train s1: 100%.*60/60 \[\d\d:\d\d<\d\d:\d\d.*loss=\d.*psnr=\d", shown), shown


def test_training_lowers_the_loss(build):
    _, curve = train(build, "s1", params(steps=100, warm_up=5))
    losses = [row["loss"] for row in curve if "loss" in row]
    assert losses[-1] < 0.9 * losses[0]


def test_a_curve_is_written_the_same_each_time(tmp_path):
    curve = [{"step": 25.0, "loss": 0.123456789}, {"step": 50.0, "loss": 0.1, "validation_psnr": 30.5}]
    write_curve(tmp_path / "a.csv", curve)
    assert (tmp_path / "a.csv").read_text() == "step,loss,validation_psnr\n25,0.12345679,\n50,0.1,30.5\n"

"""One stage of training: one visible loop."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from tqdm import tqdm

from sftdec.datasets import Scene
from sftdec.devices import autocast, choose_device
from sftdec.evaluation.metrics import psnr, ssim, to_uint8
from sftdec.networks import SFTDec
from sftdec.params import CommonParams, LossParams, StageParams
from sftdec.patches import PatchStore
from sftdec.patches.augment import Batch, CropDataset, batches
from sftdec.training.checkpoint import Checkpoints
from sftdec.training.losses import Losses, stage_loss
from sftdec.training.schedule import Stage, learning_rate, total_steps

LOG_EVERY = 25  # steps
Report = Callable[[int, dict[str, float]], None]
_PLAIN = (
    "step",
    "best",
    "best_psnr",
    "curve",
    "sums",
)  # what a checkpoint keeps beside the state dictionaries


@dataclass
class TrainingState:
    """Everything that training changes, in the order it changes it."""

    network: SFTDec
    average: AveragedModel
    optimizer: torch.optim.Optimizer
    step: int = 0
    best: dict[str, Tensor] | None = None
    best_psnr: float = -np.inf
    curve: list[dict[str, float]] = field(default_factory=list)
    sums: dict[str, float] = field(default_factory=dict)  # of the steps since the curve's last row

    def to_dict(self) -> dict[str, Any]:
        """Plain values and tensors, for a checkpoint."""
        return {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "random": torch.get_rng_state(),
            **{key: getattr(self, key) for key in _PLAIN},
        }

    def restore(self, saved: dict[str, Any]) -> None:
        """Take over a checkpoint."""
        for part in ("network", "average", "optimizer"):
            getattr(self, part).load_state_dict(saved[part])
        torch.set_rng_state(saved["random"])
        for key in _PLAIN:
            setattr(self, key, saved[key])


def _moving_average(decay: float) -> Callable[[Any, Any, Any], None]:
    """Exponential moving average whose decay warms up, so that short trainings aren't held at their start."""

    def update(averages: list[Tensor], values: list[Tensor], count: Any) -> None:
        now = min(decay, (1 + float(count)) / (10 + float(count)))
        torch._foreach_lerp_(averages, values, 1 - now)

    return update


def _begin(network: SFTDec, common: CommonParams) -> TrainingState:
    device = choose_device(common.device)
    network = network.to(device, memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = AveragedModel(network, multi_avg_fn=_moving_average(common.ema_decay))
    betas = (common.beta_1, common.beta_2)
    return TrainingState(network, average, torch.optim.Adam(network.parameters(), lr=0.0, betas=betas, fused=True))


def _to_device(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Blurred and sharp N×3×S×S in 0..1 and defocus N×1×S×S, channels last."""

    def moved(picture: Tensor) -> Tensor:
        return picture.to(device, non_blocking=True).to(memory_format=torch.channels_last)

    return moved(batch["blurred"]).float() / 255, moved(batch["sharp"]).float() / 255, moved(batch["defocus"])


def _train_step(
    state: TrainingState, batch: Batch, stage: Stage, weights: LossParams, common: CommonParams
) -> tuple[Losses, float]:
    """One step of the optimizer; returns the losses and the norm of the gradient before clipping."""
    device = next(state.network.parameters()).device
    blurred, sharp, defocus = _to_device(batch, device)
    with autocast(device, common.precision):
        restored = state.network(blurred, defocus if stage.guided_by_truth else None)
    losses = stage_loss(restored.deblurred, restored.defocus, sharp, defocus, weights)
    state.optimizer.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    limit = float("inf") if common.gradient_clip is None else common.gradient_clip
    norm = torch.nn.utils.clip_grad_norm_(state.network.parameters(), limit)
    state.optimizer.step()
    state.average.update_parameters(state.network)
    return losses, float(norm)


@torch.no_grad()
def validate(network: SFTDec, scenes: Sequence[Scene], stage: Stage, common: CommonParams) -> dict[str, float]:
    """Means over the validation photos, guided as in this stage: PSNR (dB), SSIM, and the maps' absolute error."""
    device = next(network.parameters()).device
    found: dict[str, list[float]] = {"validation_psnr": [], "validation_ssim": [], "validation_mae": []}
    for scene in scenes:
        blurred = torch.from_numpy(scene.blurred.copy()).permute(2, 0, 1)[None].to(device).float() / 255
        defocus = torch.from_numpy(scene.defocus)[None, None].to(device)
        guide = defocus if stage.guided_by_truth else None
        with autocast(device, common.precision):
            restored = network(blurred.contiguous(memory_format=torch.channels_last), guide)
        picture = to_uint8(restored.deblurred[0].float().permute(1, 2, 0).cpu().numpy())
        found["validation_psnr"].append(psnr(picture, scene.sharp))
        found["validation_ssim"].append(ssim(picture, scene.sharp))
        found["validation_mae"].append(float((restored.defocus.float().clamp(0, 1) - defocus).abs().mean()))
    return {key: float(np.mean(values)) for key, values in found.items()}


class Training:
    """One stage under way: its state, and what happens every so many steps."""

    def __init__(
        self,
        network: SFTDec,
        validation: Sequence[Scene],
        stage: Stage,
        params: StageParams,
        common: CommonParams,
        checkpoints: Checkpoints,
        report: Report,
    ) -> None:
        self.state = _begin(network, common)
        self.validation, self.stage, self.params, self.common = validation, stage, params, common
        self.checkpoints, self.report = checkpoints, report
        self._logged = time.monotonic()
        saved = checkpoints.newest()
        if saved is not None:
            self.state.restore(saved)
        elif params.keep == "best":
            self._validate()

    def _validate(self) -> dict[str, float]:
        """Validate the averaged weights; remember them if they are the best so far."""
        average = self.state.average.module
        if not self.validation:
            return {}
        found = validate(average, self.validation, self.stage, self.common)  # type: ignore[arg-type]
        if found["validation_psnr"] > self.state.best_psnr:
            self.state.best_psnr, self.state.best = (
                found["validation_psnr"],
                copy.deepcopy(average.state_dict()),
            )
        return found

    def advance(self, batch: Batch, rate: float) -> None:
        """Take one step."""
        for group in self.state.optimizer.param_groups:
            group["lr"] = rate
        losses, norm = _train_step(self.state, batch, self.stage, self.params.loss, self.common)
        terms = {"loss": losses.total, "loss_dme": losses.dme, "loss_df": losses.df, "loss_wd": losses.wd}
        values = {key: float(term.detach()) for key, term in terms.items()}
        for key, value in {**values, "gradient_norm": norm, "learning_rate": rate, "steps": 1.0}.items():
            self.state.sums[key] = self.state.sums.get(key, 0.0) + value
        self.state.step += 1

    def after_step(self, last: bool) -> dict[str, float]:
        """Log, validate and save when it is time; returns what was logged."""
        step, row = self.state.step, {}
        if step % LOG_EVERY == 0 or last:
            count = self.state.sums.pop("steps")
            row = {"step": float(step), **{key: total / count for key, total in self.state.sums.items()}}
            self.state.sums = {}
        if step % self.params.validate_every == 0 or last:
            row = {**({"step": float(step)} | row), **self._validate()}
        if row:
            self.state.curve.append(row)
            now = time.monotonic()
            speed = self.common.batch_size * LOG_EVERY / max(1e-9, now - self._logged)
            self._logged = now
            self.report(step, {**row, "patches_per_second": speed})
        if step % self.params.checkpoint_every == 0 or last:
            self.checkpoints.save(step, self.state.to_dict())
        return row

    def result(self) -> SFTDec:
        """The network with the weights that the stage keeps."""
        average: SFTDec = self.state.average.module  # type: ignore[assignment]
        if self.params.keep == "best" and self.state.best is not None:
            average.load_state_dict(self.state.best)
        return average.cpu().eval()


def train_stage(
    network: SFTDec,
    store: PatchStore,
    validation: Sequence[Scene],
    stage: Stage,
    params: StageParams,
    common: CommonParams,
    checkpoints: Checkpoints,
    report: Report = lambda step, metrics: None,
) -> tuple[SFTDec, list[dict[str, float]]]:
    """Train ``network`` through one stage, going on from the newest checkpoint if there is one.

    ``report(step, metrics)`` hears losses, learning rate, gradient norm, speed and validation as they come.

    Returns:
        The averaged weights at the end (``keep: last``), or where the validation PSNR was best, the start included
        (``keep: best``), as a network on the CPU; and the curve, a row each ``LOG_EVERY`` steps.
    """
    training = Training(network, validation, stage, params, common, checkpoints, report)
    steps, first = total_steps(params, len(store), common.batch_size), training.state.step
    photometric = (common.brightness, common.noise, common.channel_shuffle)
    dataset = CropDataset(store, common.crop, common.seed, common.rotation, common.flips, *photometric)
    pin = choose_device(common.device).type == "cuda"
    stream = batches(dataset, first, steps, common.batch_size, common.workers, pin)
    shown: dict[str, str] = {}
    with tqdm(total=steps, initial=first, desc=f"train {stage.name}", unit="step", disable=None) as bar:
        for step, batch in enumerate(stream, first):
            training.advance(batch, learning_rate(step, steps, params))
            row = training.after_step(last=step + 1 == steps)
            shown |= {key[-4:]: f"{row[key]:.4g}" for key in ("loss", "validation_psnr") if key in row}
            bar.set_postfix(shown, refresh=False)
            bar.update()
    return training.result(), training.state.curve

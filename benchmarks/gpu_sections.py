"""The sections of ``gpu.py``, each in a process of its own: NAME FOLDER UNTIL DEVICE (``Section``).

What a section finds stands in FOLDER/NAME.json as soon as it is found. What it needs is imported where it is needed:
a package that is missing costs one section.
"""

import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from gpu import Found, read
from gpu_section import Section

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = 5  # of steps, of whose times the median counts
WARM_UP = 8  # steps
PRECISIONS = ("fp32", "bf16")


def machine(section: Section) -> None:
    """What this runs on."""
    name = torch.cuda.get_device_name() if section.on_gpu else platform.processor() or platform.machine()
    versions = {"python": platform.python_version(), "torch": torch.__version__, "cuda": torch.version.cuda}
    section.keep(device=name, cores=os.cpu_count(), cards=torch.cuda.device_count(), **versions)
    if section.on_gpu:
        section.keep(capability=torch.cuda.get_device_capability(), free_gb=torch.cuda.mem_get_info()[0] / 1e9)


def rates(section: Section) -> None:
    """Matrix product in bf16 (TFLOP/s) and copy (GB/s, reading and writing counted)."""
    side, count = (8192, 1 << 30) if section.on_gpu else (512, 1 << 24)
    first, second = (torch.rand(side, side, device=section.device).bfloat16() for _ in range(2))
    seconds = section.seconds_of(lambda: [first @ second for _ in range(10)], 0.1 * section.left) / 10
    section.keep(bf16_tflops=2 * side**3 / seconds / 1e12)
    source = torch.zeros(count, dtype=torch.uint8, device=section.device)
    target = torch.empty_like(source)
    seconds = section.seconds_of(lambda: [target.copy_(source) for _ in range(10)], 0.1 * section.left) / 10
    section.keep(copy_gb_s=2 * count / seconds / 1e9)


def network_of(size: str) -> Any:
    """``small``, ``shipped``, ``wide`` (64 × 16 at half resolution) or ``paper``, with weights."""
    from sftdec.networks import build_network, load_weights
    from sftdec.params import NetworkConfig

    if size == "shipped":
        return load_weights(ROOT / "src/sftdec/builtin/small.safetensors")
    wide = {"features": 64, "blocks": 16} if size == "wide" else {}
    return build_network(NetworkConfig.of_size("paper" if size == "paper" else "small", **wide))


def case(size: str, count: int, crop: int) -> str:
    """As a row of the table is called."""
    return f"`{size}`, {count} × {crop}²"


def write_patches(folder: Path, crop: int) -> None:
    """A store of noise, a few patches with room around the crop."""
    import numpy as np

    from sftdec.patches import Patch, write_store

    side, draw = crop + 32, np.random.default_rng(0)

    def patch(number: int) -> Patch:
        blurred, sharp = draw.integers(0, 256, (2, side, side, 3), np.uint8)
        defocus = draw.integers(0, 65536, (side, side), np.uint16)
        return Patch(f"{number}", "noise", 0, 0, blurred, sharp, defocus, 6.0, sharp.mean(2, dtype=np.float32))

    write_store(folder, map(patch, range(24)), side)


def engine_of(
    size: str, count: int, crop: int, store: Path, device: torch.device, group: Any = None, **common: Any
) -> Any:
    """An engine and its inputs, as a stage's loop has them."""
    from sftdec.params import load_params
    from sftdec.patches import CropDataset, PatchStore
    from sftdec.runtime import compute_exactly
    from sftdec.training import STAGES, Engine, Feed, Group, Objective, begin

    params = load_params(ROOT / "params.yaml")
    changes = {"device": str(device), "batch_size": count, "crop": crop, **common}
    settings = params.train.common.model_copy(update=changes)
    compute_exactly(settings.threads if device.type == "cpu" else 8, settings.exact)
    objective, group = Objective(STAGES["s2"], params.train.s2, settings), group or Group.alone(str(device))
    dataset = CropDataset(PatchStore(store), settings, 0)
    state = begin(network_of(size), objective, group)
    feed = Feed(dataset, objective, group, params.train.workers)
    return Engine(state, objective, group, feed), feed.inputs(0, 1_000_000)


def timed_steps(section: Section, engine: Any, inputs: Any, seconds: float) -> Found:
    """Milliseconds a step of the real loop, feeding included: the median of blocks that are waited for."""
    import statistics

    def block(steps: int) -> float:
        started = section.wait()
        for _ in range(steps):
            engine.take(next(inputs), 1e-4)
        engine.state.read()
        return (section.wait() - started) / steps

    found: Found = {}
    with section.memory(found):
        started = time.monotonic()
        block(WARM_UP if section.on_gpu else 1)
        first = time.monotonic() - started
        once = block(2 if section.on_gpu else 1)
        steps = max(1, min(200, int(seconds / BLOCKS / once)))
        found["ms"] = 1000 * statistics.median(block(steps) for _ in range(BLOCKS))
    found |= {"steps": BLOCKS * steps, "warm_up_s": first, "graph": engine.captures}
    found["skipped"] = engine.state.skipped
    return found


def one_kind(section: Section, size: str, store: Path, flop: float, kind: tuple[str, str], seconds: float) -> Found:
    """Steps of a size by one engine in one precision, and their share of the measured matrix rate."""
    (count, crop), rate = section.sizes[size], read(section.out / "rates.json").get("bf16_tflops")
    begun = engine_of(size, count, crop, store, section.device, engine=kind[0], precision=kind[1])
    found = timed_steps(section, *begun, seconds)
    per_second = 1000 / found["ms"]
    share = None if rate is None else flop * per_second / 1e12 / rate
    return found | {"crops_s": count * per_second, "tflops": flop * per_second / 1e12, "share": share}


def measure_steps(section: Section, sizes: list[str], kinds: list[tuple[str, str]]) -> None:
    """Steps of each size by each engine and precision."""
    from scale import count_macs

    jobs = len(sizes) * len(kinds)
    for size in sizes:
        count, crop = section.sizes[size]
        flop = 2 * count * count_macs(network_of(size).train(), crop)[1]
        with tempfile.TemporaryDirectory() as folder:
            write_patches(Path(folder), crop)
            for kind in kinds:
                seconds = 0.5 * section.left / jobs
                section.attempt(
                    (case(size, count, crop), " ".join(kind)), one_kind, size, Path(folder), flop, kind, seconds
                )
                jobs -= 1


def kinds_of(section: Section, precisions: tuple[str, ...] = PRECISIONS) -> list[tuple[str, str]]:
    """Captured and plain; on a CPU plain alone."""
    engines = ("graph", "plain") if section.on_gpu else ("plain",)
    return [(engine, precision) for engine in engines for precision in reversed(precisions)]


def steps(section: Section) -> None:
    """``small``, the shipped size and the wide one."""
    measure_steps(section, ["small", "shipped", "wide"], kinds_of(section))


def paper(section: Section) -> None:
    """The paper's size."""
    measure_steps(section, ["paper"], kinds_of(section))


def compiled(section: Section) -> None:
    """torch.compile, which takes a minute for each: as many as there is time for."""
    measure_steps(section, ["shipped", "small", "paper"], [("compiled", "bf16")])


def training(section: Section) -> None:
    """The sample's whole training, with seconds and quality; then again otherwise, as often as there is time."""
    from sftdec.datasets import fetch, load_scenes, read_index, select_scenes
    from sftdec.params import load_params
    from sftdec.patches import extract_store
    from sftdec.runtime import compute

    params, build = load_params(ROOT / "params.yaml"), section.out / "build"
    scenes, cut = build / "scenes", params.patches.model_dump()
    started = time.monotonic()
    with compute(**params.compute.model_dump()) as run:
        if not (scenes / "index.parquet").exists():
            fetch(params.fetch, ROOT / "data", scenes, run)
        section.keep("data", fetch_s=time.monotonic() - started)
        size = cut.pop("patch_size")
        extract_store(scenes, select_scenes(read_index(scenes), "train"), build / "patches", size=size, **cut, run=run)
    section.keep("data", s=time.monotonic() - started)
    tested = list(load_scenes(scenes, "test"))
    variants: dict[str, Found] = {
        "bf16": {},
        "fp32": {"precision": "fp32"},
        "bf16, seed 1": {"seed": 1},
        "fp32, seed 1": {"precision": "fp32", "seed": 1},
        "bf16, plain": {"engine": "plain"},
    }
    for name, changes in variants.items():
        started = time.monotonic()
        section.attempt((name,), train_sample, params, build, tested, changes)
        if section.left < 1.2 * (time.monotonic() - started):
            return


def train_sample(section: Section, params: Any, build: Path, tested: list[Any], changes: Found) -> Found:
    """s1, s2 and s3 from nothing, then the test photos."""
    from sftdec.evaluation import evaluate_network
    from sftdec.networks import save_weights
    from sftdec.training import STAGES, train_sft_dec, weights_path

    common = params.train.common.model_copy(update={"device": str(section.device), **changes})
    train = params.train.model_copy(update={"common": common})
    found: Found = {}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        for stage in ("s1", "s2", "s3"):
            given = getattr(train, stage)
            if not section.on_gpu:
                few = {"steps": 2, "warm_up": 0, "validate_every": 100, "pictures_every": None}
                given = given.model_copy(update=few)
            own = params.model_copy(update={"train": train.model_copy(update={stage: given})})
            begun = time.monotonic()
            network, curve, _ = train_sft_dec(STAGES[stage], own, build, Path(folder))
            save_weights(network, weights_path(build, stage))
            found[f"{stage}_s"] = time.monotonic() - begun
            found[f"{stage}_validation"] = {key: value for key, value in curve[-1].items() if "validation" in key}
            found[f"{stage}_skipped"] = curve[-1].get("skipped", 0.0)
    found["s"] = time.monotonic() - started
    judged = evaluate_network(network.to(section.device), tested if section.on_gpu else tested[:1], str(section.device))
    found["gain"] = float((judged["psnr"] - judged["psnr_blurred"]).mean())
    return found | {"mae": float(judged["mae"].mean()), "constant": float(judged["mae_constant"].mean())}


def tests(section: Section) -> None:
    """Those marked ``gpu``; what they import is all that there is, so conftest.py's of the others stay out."""
    marked = [path for path in sorted((ROOT / "tests").rglob("test_*.py")) if "mark.gpu" in path.read_text()]
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-m", "gpu", "--noconftest", "-p", "no:cacheprovider"]
    done = subprocess.run([*command, *map(str, marked)], cwd=ROOT, capture_output=True, text=True, timeout=section.left)
    section.keep(code=done.returncode, summary=done.stdout.splitlines()[-60:], said=done.stderr[-1000:])
    if done.returncode:
        sys.exit(f"pytest ended with {done.returncode}")


def deblur(section: Section) -> None:
    """A photo of 12 MP by each size."""
    from sftdec.networks import save_weights
    from sftdec.runtime import has_bf16

    for size in ("shipped", "small", "paper"):
        with tempfile.TemporaryDirectory() as folder:
            save_weights(network_of(size), weights := Path(folder) / "weights.safetensors")
            for precision in PRECISIONS if has_bf16(section.device) else ("fp32",):
                section.attempt((f"`{size}`, {precision}",), deblurred, weights, precision)


def deblurred(section: Section, weights: Path, precision: str) -> Found:
    """Seconds and memory of a second run."""
    import numpy as np

    from sftdec.inference import Engine

    shape = (3000, 4000, 3) if section.on_gpu else (60, 80, 3)
    photo = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    engine = Engine.of_file(weights, device=str(section.device), precision=precision, memory=8.0)
    found: Found = {}
    with section.memory(found):
        found["s"] = section.seconds_of(lambda: engine(photo), 0.0)
    return found


def profile(section: Section) -> None:
    """Where a plain step's time on the device goes."""
    for size in ("shipped", "small", "paper"):
        section.attempt((case(size, *section.sizes[size]),), kernels, size)


def kernels(section: Section, size: str) -> Found:
    """The twenty that take most: name, ms a step, calls a step."""
    from torch.profiler import ProfilerActivity

    count, crop = section.sizes[size]
    activity = ProfilerActivity.CUDA if section.on_gpu else ProfilerActivity.CPU
    with tempfile.TemporaryDirectory() as folder:
        write_patches(Path(folder), crop)
        engine, inputs = engine_of(size, count, crop, Path(folder), section.device, engine="plain")
        engine.take(next(inputs), 1e-4)
        section.wait()
        with torch.profiler.profile(activities=[activity]) as seen:
            for _ in range(3):
                engine.take(next(inputs), 1e-4)
            section.wait()
    time_of = "self_device_time_total" if section.on_gpu else "self_cpu_time_total"
    rows = sorted(seen.key_averages(), key=lambda each: -getattr(each, time_of))
    return {"kernels": [[each.key[:120], getattr(each, time_of) / 3000, each.count // 3] for each in rows[:20]]}


def two(section: Section) -> None:
    """A step shared by two processes, a card each; run by torchrun, the first one writes."""
    from sftdec.training import joined

    if section.on_gpu and torch.cuda.device_count() < 2:
        if os.environ["RANK"] == "0":
            section.keep(skipped="one card")
        return
    count, crop = section.sizes["shipped"]
    with tempfile.TemporaryDirectory() as folder, joined(section.device.type, os.environ) as group:
        write_patches(Path(folder), crop)
        begun = engine_of("shipped", 2 * count, crop, Path(folder), group.device, group, engine="plain")
        found: Found = {}
        started = section.wait()
        for step in range(28 if section.on_gpu else 3):
            if step == 8:
                started = section.wait()
            begun[0].take(next(begun[1]), 1e-4)
        begun[0].state.read()
        found["ms"] = 1000 * (section.wait() - started) / (20 if section.on_gpu else 3)
        if group.first:
            section.keep(case("shipped", 2 * count, crop), **found)


if __name__ == "__main__":
    name, out, until, device = sys.argv[1:]
    here = Section(name, Path(out), float(until), device)
    globals()[name](here)
    if here.failed:
        sys.exit(f"failed: {'; '.join(here.failed)}")

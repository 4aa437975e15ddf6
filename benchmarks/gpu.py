"""All that wants a GPU, measured in minutes: ``make gpu``.

    python benchmarks/gpu.py --out FOLDER [--seconds 480] [--device cuda] [--only steps …]
    python benchmarks/gpu.py --table FOLDER/gpu.json

Each section is a process with a share of the seconds as its limit, and what the ones before it left over. It writes
what it has found after every measurement, and FOLDER/gpu.json is written anew after every section: whatever is cut off,
fails or finds an import missing costs the rest nothing. mlflow, prefect and dvc aren't needed. On a CPU the same runs
on a small scale, to rehearse it. ``gpu_sections.py`` has the measurements; ``--table`` prints docs/scale.md's tables.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SHARES = {  # of the seconds; what matters most comes first
    "machine": 0.06,  # torch is read from a cold disk here
    "rates": 0.05,
    "steps": 0.24,
    "training": 0.24,
    "paper": 0.12,
    "tests": 0.10,
    "deblur": 0.08,
    "profile": 0.04,
    "two": 0.04,
    "compiled": 0.07,  # and whatever is left: it compiles for a minute
}
GRACE = 10  # seconds in which a section that is stopped may end what it has started
SAID = 3000  # characters of what a section said that are kept
Found = dict[str, Any]


def read(path: Path) -> Found:
    """What a section has written so far."""
    return json.loads(path.read_text()) if path.exists() else {}


def write(path: Path, found: Found) -> None:
    """Whole or not at all."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1) + "\n")
    part.replace(path)


def run_section(name: str, limit: float, out: Path, device: str) -> Found:
    """Run a section in a process group of its own, which is ended at its limit; what it found and how it ended."""
    log, result = out / f"{name}.log", out / f"{name}.json"
    result.unlink(missing_ok=True)
    started, status = time.monotonic(), "ok"
    command = [sys.executable, str(HERE / "gpu_sections.py"), name, str(out), f"{started + limit:.1f}", device]
    if name == "two":
        loopback = ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", "--local-addr=127.0.0.1"]
        command[1:1] = ["-m", "torch.distributed.run", *loopback, "--nproc-per-node=2"]
    environment = {**os.environ, "NO_ALBUMENTATIONS_UPDATE": "1", "PYTHONUNBUFFERED": "1"}
    paths = [str(HERE.parent / "src"), str(HERE.parent), os.environ.get("PYTHONPATH", "")]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    with log.open("wb") as said:
        job = subprocess.Popen(
            command, cwd=HERE.parent, env=environment, stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            if code := job.wait(limit):
                status = f"failed with code {code}"
        except subprocess.TimeoutExpired:
            status = "stopped at its limit"
            job.terminate()  # torchrun ends its processes then, which are in groups of their own
            with suppress(subprocess.TimeoutExpired):
                job.wait(GRACE)
        finally:  # also those that it started
            with suppress(ProcessLookupError):
                os.killpg(job.pid, signal.SIGKILL)
            job.wait()
    seconds = round(time.monotonic() - started, 1)
    found = {"status": status, "seconds": seconds, "limit": round(limit, 1), "found": read(result)}
    return found if status == "ok" else found | {"said": log.read_text(errors="replace")[-SAID:]}


def measure(out: Path, seconds: float, device: str, only: list[str]) -> Found:
    """Run the sections one after another within the seconds; FOLDER/gpu.json holds those that are over."""
    out.mkdir(parents=True, exist_ok=True)
    started, everything = time.monotonic(), {"seconds": seconds, "sections": {}}
    names = [name for name in SHARES if not only or name in only]
    due = 0.0  # seconds that the sections so far may have taken
    for name in names:
        due += seconds * SHARES[name] / sum(SHARES[each] for each in names)
        limit = due - (time.monotonic() - started)
        if limit < 1:
            everything["sections"][name] = {"status": "no time left", "seconds": 0.0, "limit": 0.0, "found": {}}
        else:
            everything["sections"][name] = run_section(name, limit, out, device)
        write(out / "gpu.json", everything)
        print(
            f"{name}: {everything['sections'][name]['status']}, {time.monotonic() - started:.0f} s so far", flush=True
        )
    return everything


def row(*cells: Any) -> str:
    """A row of a Markdown table; what there isn't is a dash."""
    return "| " + " | ".join("–" if cell is None else str(cell) for cell in cells) + " |"


def number(value: float | None, digits: int = 1) -> str | None:
    """A figure as it is printed."""
    return None if value is None else f"{value:,.{digits}f}"


def tables(everything: Found) -> str:
    """docs/scale.md's tables of a GPU, in Markdown."""
    found = {name: section["found"] for name, section in everything["sections"].items()}
    machine, rates = found.get("machine", {}), found.get("rates", {})
    lines = [
        f"{machine.get('device')}, torch {machine.get('torch')}, Python {machine.get('python')}: bf16 matrix product "
        f"{number(rates.get('bf16_tflops'))} TFLOP/s, copy {number(rates.get('copy_gb_s'))} GB/s.",
        "",
        row("network, crops", "fp32", "bf16", "compiled", "graph, fp32", "graph, bf16", "of the rate", "crops/s", "GB"),
        row("---", *["--:"] * 8),
    ]
    steps: Found = {}
    for section in ("steps", "paper", "compiled"):
        for case, kinds in found.get(section, {}).items():
            steps.setdefault(case, {}).update(kinds)
    for case, kinds in steps.items():
        kinds = {kind: each for kind, each in kinds.items() if "ms" in each}
        times = [number(kinds.get(kind, {}).get("ms")) for kind in _KINDS]
        best = min(kinds.values(), key=lambda each: each["ms"], default={})
        share = best.get("share")
        last = (None if share is None else f"{share:.1%}", number(best.get("crops_s"), 0), number(best.get("gb")))
        lines.append(row(case, *times, *last))
    lines += ["", row("12 MP deblurred", "seconds", "GB"), row("---", "--:", "--:")]
    photos = {name: each for name, each in found.get("deblur", {}).items() if "s" in each}
    lines += [row(name, number(each["s"], 2), number(each["gb"])) for name, each in photos.items()]
    lines += ["", row("the sample's training", "seconds", "gain (dB)", "map's MAE", "best constant's")]
    lines.append(row("---", *["--:"] * 4))
    for name, each in found.get("training", {}).items():
        if "gain" in each:
            figures = (
                number(each[key], digits) for key, digits in (("s", 1), ("gain", 3), ("mae", 4), ("constant", 4))
            )
            lines.append(row(name, *figures))
    return "\n".join(lines)


_KINDS = ("plain fp32", "plain bf16", "compiled bf16", "graph fp32", "graph bf16")


def main() -> None:
    """Measure, or print the tables of what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seconds", type=float, default=480)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--only", nargs="*", default=[], choices=SHARES)
    parser.add_argument("--table", type=Path, help="a gpu.json")
    given = parser.parse_args()
    if given.table is None and given.out is None:
        parser.error("expected --out FOLDER, or --table FILE.json")
    everything = read(given.table) if given.table else measure(given.out, given.seconds, given.device, given.only)
    print(tables(everything))
    if any(section["status"] != "ok" for section in everything["sections"].values()):
        sys.exit("a section isn't ok: gpu.json says why")


if __name__ == "__main__":
    main()

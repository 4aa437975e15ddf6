"""``sftdec drift``: do incoming photos still look like the training's; and the records that ``deblur`` may keep."""

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sftdec.commands.printing import say_wait

if TYPE_CHECKING:
    import torch

    from sftdec.networks import SFTDec


def add_drift(commands: Any, model: dict[str, Any], device: dict[str, Any]) -> None:
    """Add the command to ``argparse``'s sub-parsers; ``model`` and ``device`` are those two options' settings."""
    drift = commands.add_parser(
        "drift",
        help="do photos still look like those of the training?",
        description="Compare incoming photos with those of the training: blur, sharpness, brightness and noise. "
        "Exit code: 0 they look alike, 1 they have drifted, 2 they can't be compared.",
    )
    drift.add_argument("source", type=Path, metavar="IN", help="folder of photos, or file of their statistics")
    drift.add_argument(
        "--reference", type=Path, metavar="INDEX", help="the training index (default: build/patches/index.parquet)"
    )
    drift.add_argument("-o", "--output", type=Path, metavar="OUT", help="folder for drift.png and drift.csv")
    drift.add_argument("--level", type=float, default=0.05, help="chance of a false alarm (default: %(default)s)")
    drift.add_argument("--window", type=int, default=128, metavar="PX", help="side measured (default: %(default)s)")
    drift.add_argument("--model", **model)
    drift.add_argument("--device", **device)
    drift.set_defaults(run=_drift)


def _drift(arguments: argparse.Namespace) -> int:
    say_wait("reading the model")
    from tqdm import tqdm

    from sftdec.drift import DriftLimits, compare_with_training, find_index
    from sftdec.registry import load_model

    def bar(files: list[Path]) -> Iterable[Path]:
        return tqdm(files, desc="measure", unit="photo", disable=None)

    limits = DriftLimits(level=arguments.level)
    network, device = load_model(arguments.model, arguments.device)
    found = compare_with_training(
        arguments.source, arguments.reference or find_index(Path.cwd()), network, device, limits, arguments.window, bar
    )
    report = found.report
    for line in report.left_out:
        print(f"sftdec: left out: {line}", file=sys.stderr)
    if not report.table.empty:
        print(report.table.round(4).to_string(index=False))
    compared = not report.table.empty
    print(("ALARM: " if report.alarm else "no alarm: " if compared else "can't tell: ") + report.reason)
    if arguments.output is not None:
        from sftdec.reporting import save_figure

        arguments.output.mkdir(parents=True, exist_ok=True)
        report.table.to_csv(arguments.output / "drift.csv", index=False)
        print(save_figure(found.figure(), arguments.output / "drift.png"))
    return int(report.alarm) if compared else 2


def statistics_log(file: Path | None, network: "SFTDec", device: "torch.device") -> Callable[[Path], None]:
    """What writes a photo's statistics, and nothing else of it, to ``file``; nothing at all where that is None."""
    if file is None:
        return lambda photo: None
    from sftdec.drift import Gauge, append_record, measure_files

    gauge = Gauge.of(network)

    def log(photo: Path) -> None:
        for _, figures in measure_files(network, [photo], gauge.window, device):
            try:
                if isinstance(figures, str):
                    raise ValueError(figures)
                append_record(file, figures, gauge)
            except (ValueError, OSError) as error:  # the photo itself is deblurred all the same
                print(f"sftdec: no statistics of this photo: {error}", file=sys.stderr)

    return log

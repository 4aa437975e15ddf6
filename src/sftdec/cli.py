"""The command ``sftdec``: photos in, all-in-focus photos out; a model's figures; and data sets, known and checked."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sftdec.commands.datasets import add_datasets
from sftdec.commands.demo import add_demo
from sftdec.commands.drift import add_drift, statistics_log
from sftdec.commands.models import add_models
from sftdec.commands.reproduce import add_reproduce
from sftdec.inference.models import CHAMPION, DEFAULT_MODEL, load_model

__all__ = ["CHAMPION", "load_model", "main"]

STATISTICS_FILE = "SFTDEC_STATISTICS"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sftdec", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    model: dict[str, Any] = {
        "metavar": "MODEL",
        "help": f"a weights file, models:/… or builtin (default: {DEFAULT_MODEL})",
    }
    device: dict[str, Any] = {"default": "auto", "help": "auto, cpu or cuda[:n] (default: %(default)s)"}

    deblur = commands.add_parser("deblur", help="deblur photos", description="Deblur photos.")
    deblur.add_argument("photos", nargs="+", type=Path, metavar="IN", help="photos, or folders of photos")
    deblur.add_argument("-o", "--output", required=True, type=Path, metavar="OUT", help="folder for the results")
    deblur.add_argument("--map", action="store_true", help="write the defocus map beside each (16-bit PNG)")
    deblur.add_argument("--model", **model)
    deblur.add_argument("--device", **device)
    deblur.add_argument(
        "--local-pooling", type=int, metavar="PX", help="pool the channel part over windows (the training crop's side)"
    )
    statistics = os.environ.get(STATISTICS_FILE)
    deblur.add_argument(
        "--log-statistics",
        type=Path,
        default=Path(statistics) if statistics else None,
        metavar="FILE",
        help=f"add each photo's statistics, and nothing else of it, to FILE for sftdec drift (or {STATISTICS_FILE})",
    )
    deblur.set_defaults(run=_deblur)

    evaluate = commands.add_parser(
        "evaluate", help="a model's figures", description="Print a model's figures on a data set."
    )
    evaluate.add_argument("--dataset", required=True, help="a data set that dvc repro has fetched, such as sample")
    evaluate.add_argument("--split", default="test", choices=("train", "validation", "test"))
    evaluate.add_argument(
        "--scenes", type=Path, default=Path("build/scenes"), help="folder of scenes (default: %(default)s)"
    )
    evaluate.add_argument("--model", **model)
    evaluate.add_argument("--device", **device)
    evaluate.add_argument(
        "--local-pooling", type=int, metavar="PX", help="window of the figures with local pooling (default: training's)"
    )
    evaluate.set_defaults(run=_evaluate)

    add_datasets(commands)
    add_models(commands)
    add_demo(commands)
    add_reproduce(commands)
    add_drift(commands, model, device)
    return parser


def _deblur(arguments: argparse.Namespace) -> int:
    from tqdm import tqdm

    from sftdec.inference.deblur import deblur_file, find_photos, refuse_equal_names

    photos = list(dict.fromkeys(find_photos(arguments.photos)))
    refuse_equal_names(photos, arguments.map)
    if arguments.output.exists() and not arguments.output.is_dir():
        raise ValueError(f"{arguments.output}: found a file, expected a folder for the results; name another with -o")
    network, device = load_model(arguments.model, arguments.device)
    network.set_local_pooling(arguments.local_pooling)
    log_statistics = statistics_log(arguments.log_statistics, network, device)
    failed = 0
    for photo in tqdm(photos, desc="deblur", unit="photo", disable=None):
        try:
            written = deblur_file(network, photo, arguments.output, arguments.map, device)
        except (ValueError, OSError) as error:
            failed += 1
            print(f"sftdec: {error}", file=sys.stderr)
        else:
            print(*written, sep="\n")
            log_statistics(photo)
    return 1 if failed else 0


def _evaluate(arguments: argparse.Namespace) -> int:
    from sftdec.datasets import load_scenes
    from sftdec.evaluation.evaluate import evaluate_network, summarise, training_window

    network, device = load_model(arguments.model, arguments.device)
    scenes = load_scenes(arguments.scenes, arguments.split, arguments.dataset)
    window = training_window(network) if arguments.local_pooling is None else arguments.local_pooling
    per_image = evaluate_network(network, scenes, str(device), local_pooling=window)
    print(json.dumps(summarise(per_image), indent=2, sort_keys=True))
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code. What is wrong with the input is one sentence, not a traceback."""
    parsed = _parser().parse_args(arguments)
    try:
        return int(parsed.run(parsed))
    except (ValueError, OSError) as error:
        print(f"sftdec: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

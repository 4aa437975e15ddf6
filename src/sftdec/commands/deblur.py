"""``sftdec deblur``: photos in, all-in-focus photos and their defocus maps out."""

import argparse
import logging
import math
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sftdec.commands.drift import statistics_log
from sftdec.commands.printing import say, say_model, say_wait
from sftdec.runtime import needs_extra

if TYPE_CHECKING:
    from sftdec.photos import Targets

STATISTICS_FILE = "SFTDEC_STATISTICS"
IN_FOCUS = "nothing of it is out of focus by its map, and it stays as it is; --everywhere deblurs it all the same"
INTERRUPTED = 130  # the exit code of what Ctrl-C has stopped, as shells have it


def add_deblur(commands: Any, model: dict[str, Any], device: dict[str, Any]) -> None:
    """Add the command to ``argparse``'s sub-parsers; ``model`` and ``device`` are those two options' settings."""
    deblur = commands.add_parser(
        "deblur",
        help="sharpen photos",
        description="Deblur photos: JPEG, PNG, TIFF, WebP, AVIF, HEIC, BMP and JPEG 2000. Exit code: 0 all are "
        "deblurred, 1 some are not, 2 nothing was begun.",
    )
    add = deblur.add_argument
    add("photos", nargs="+", metavar="IN", help="photos, folders of photos, or patterns such as 'photos/*.jpg'")
    add("-o", "--output", required=True, type=Path, metavar="OUT", help="folder for the results")
    add("--recursive", action="store_true", help="look into sub-folders too")
    add("--map", action="store_true", help="write the defocus map beside each (16-bit PNG, and one in colours)")
    add("--compare", action="store_true", help="write before and after side by side (PNG)")
    add("--force", action="store_true", help="overwrite files that are there already")
    add(
        "--format",
        choices=("jpeg", "png", "tiff", "webp", "avif"),
        help="of what is written (default: each photo's own)",
    )
    add(
        "--quality",
        type=_quality,
        metavar="N",
        help="of JPEG, WebP and AVIF, 1 to 100 (default: each photo's own)",
    )
    add(
        "--strength",
        type=_strength,
        default=1.0,
        metavar="S",
        help="how much is changed: 0 nothing, 1 all, up to 1.5 (default: 1)",
    )
    add("--mask", type=Path, metavar="FILE", help="grey picture of the photo's size: white is deblurred, black stays")
    add(
        "--only",
        choices=("background", "foreground", "blurred"),
        help="deblur this part alone: blurred is all that the defocus map calls so; which of it is foreground and "
        "which background is a guess, so look at --map, and take the other word if it is wrong",
    )
    add(
        "--max-blur",
        type=float,
        metavar="PX",
        help="largest blur that is taken off, sigma in px (a disc of twice that in radius), and what a map ends at "
        "(default: 24, the most, with the model that ships; 0: what it knows at the photo's own size, 6)",
    )
    add("--everywhere", action="store_true", help="change what is in focus, too, as the network does; else it stays")
    add("--max-megapixels", type=float, default=100.0, metavar="N", help="refuse larger ones (default: %(default)g)")
    add("--model", **model)
    add("--device", **device)
    add("--precision", choices=("auto", "bf16", "fp32"), default="auto", help="fp32 is exact (default: %(default)s)")
    add(
        "--runtime",
        choices=("auto", "torch", "onnxruntime", "openvino"),
        default="auto",
        help="what computes (default: %(default)s, the fastest that is installed)",
    )
    add("--tile", type=int, metavar="PX", help="side of the tiles that are deblurred at a time (default: by --memory)")
    add("--memory", type=float, metavar="GIB", help="memory that it may take (default: 2)")
    add("--local-pooling", type=int, metavar="PX", help="pool the channel part over windows (the training crop's side)")
    statistics = os.environ.get(STATISTICS_FILE)
    add(
        "--log-statistics",
        type=Path,
        default=Path(statistics) if statistics else None,
        metavar="FILE",
        help=f"add each photo's statistics, and nothing else of it, to FILE for sftdec drift (or {STATISTICS_FILE})",
    )
    deblur.set_defaults(run=_deblur)


def _quality(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"found {text}, expected 1 to 100")
    return int(text)


def _strength(text: str) -> float:
    from sftdec.inference import STRONGEST

    try:
        strength = float(text)
    except ValueError:
        strength = math.nan
    if not 0 <= strength <= STRONGEST:
        raise argparse.ArgumentTypeError(f"found {text}, expected 0 to {STRONGEST:g}")
    return strength


def _deblur(arguments: argparse.Namespace) -> int:
    done: list[Path] = []
    try:
        with _one_interrupt():
            return _deblur_all(_plan(arguments), arguments, done)
    except KeyboardInterrupt:
        say(f"sftdec: stopped; {len(done)} photos are done, none is half written", sys.stderr)
        return INTERRUPTED


def _plan(arguments: argparse.Namespace) -> "list[Targets]":
    from sftdec.photos import find_photos, plan_targets, refuse_existing, refuse_unwritable

    output, limit = arguments.output, arguments.max_megapixels
    if not 0 < limit < math.inf:  # not a number would let everything pass
        raise ValueError(f"--max-megapixels: found {limit:g}, expected a number above 0")
    if output.exists() and not output.is_dir():
        raise ValueError(f"{output}: found a file, expected a folder for the results; name another with -o")
    photos = list(find_photos(arguments.photos, arguments.recursive, output))
    planned = plan_targets(photos, output, arguments.format, arguments.map, arguments.compare)
    if not arguments.force:
        refuse_existing(planned)
    refuse_unwritable(planned)
    return planned


def _deblur_all(planned: "list[Targets]", arguments: argparse.Namespace, done: list[Path]) -> int:
    say_wait("reading the model")
    from tqdm import tqdm

    from sftdec.deblurrer import Deblurrer
    from sftdec.inference import Blend, Wishes, deblur_photo_file
    from sftdec.photos import read_mask, told_unread
    from sftdec.registry import choose_model, load_model

    limit = arguments.max_megapixels
    mask = None if arguments.mask is None else read_mask(arguments.mask, limit)
    keys = ("device", "precision", "runtime", "tile", "memory", "local_pooling", "max_blur", "everywhere")
    chosen = choose_model(arguments.model)
    deblurrer = Deblurrer.load(chosen.weights, **{key: getattr(arguments, key) for key in keys})
    log_statistics = _log(arguments, lambda: load_model(chosen.weights, arguments.device))
    say_model(chosen)
    blend = Blend(arguments.strength, mask, arguments.only)
    wishes = Wishes(arguments.format, arguments.quality, limit, blend)
    failed = 0
    with _quiet_decoders(), tqdm(planned, "deblur", unit="photo", disable=None) as photos:
        for targets in photos:
            try:
                with _tiles(targets) as progress:
                    changed = deblur_photo_file(deblurrer, targets, wishes, progress)
            except (ValueError, OSError) as error:
                failed += 1
                say(f"sftdec: {error}", sys.stderr)
            else:
                done.append(targets.source)
                say("\n".join(map(str, targets.files)), sys.stdout)
                if not changed and blend.is_whole:
                    say(f"sftdec: {targets.source}: {IN_FOCUS}", sys.stderr)
                log_statistics(targets.source)
    if unread := told_unread(arguments.photos, arguments.recursive, arguments.output):
        say(f"sftdec: {unread}", sys.stderr)
    return 1 if failed else 0


def _log(arguments: argparse.Namespace, load: Callable[[], Any]) -> Callable[[Path], None]:
    """What adds a photo's statistics to the file; the network that measures them is loaded only where there is one."""
    if arguments.log_statistics is None:
        return lambda photo: None
    with needs_extra("--log-statistics"):
        return statistics_log(arguments.log_statistics, *load())


@contextmanager
def _tiles(targets: "Targets") -> Iterator[Callable[[int, int], None]]:
    """A bar over a photo's tiles, below the one over photos."""
    from tqdm import tqdm

    with tqdm(desc=targets.source.name, unit="tile", disable=None, leave=False) as bar:

        def progress(done: int, of: int) -> None:
            bar.total = of
            bar.update(done - bar.n)

        yield progress


@contextmanager
def _quiet_decoders() -> Iterator[None]:
    """What a decoder has to say of a damaged file is in the sentence that refuses it."""
    logging.getLogger("PIL").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def _one_interrupt() -> Iterator[None]:
    """Ctrl-C stops once; a second one does not stop the clearing up."""
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        yield
        return

    def stop(number: int, frame: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

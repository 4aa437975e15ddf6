"""From a photo's file to the files that it becomes, all of them or none."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sftdec.inference.blending import WHOLE, Blend
from sftdec.photos import (
    FORMATS,
    MAX_MEGAPIXELS,
    Photo,
    PhotoError,
    Targets,
    defocus_levels,
    eight_bits,
    encode_photo,
    png_bytes,
    read_photo_file,
    told_otherwise,
)
from sftdec.runtime import atomic_path

if TYPE_CHECKING:
    from sftdec.inference.engine import Engine


@dataclass(frozen=True)
class Wishes:
    """What is to differ from the photo's own file; ``quality`` is 1 to 100, for formats with losses.

    ``blend``: how much of the result is taken and where; its mask is of the photo as it is to be seen, upright. Where
    that changes nothing, and nothing else is wished, the file is copied.
    """

    format: str | None = None
    quality: int | None = None
    max_megapixels: float = MAX_MEGAPIXELS
    blend: Blend = WHOLE


def deblur_photo_file(
    engine: "Engine",
    targets: Targets,
    wishes: Wishes = Wishes(),
    progress: Callable[[int, int], None] | None = None,
) -> bool:
    """Deblur ``targets.source`` and write its files; returns whether anything of the photo was changed.

    Not for several threads: while it reads, nothing comes out of the process's standard error.

    Raises:
        PhotoError: a file that is no photo, damaged or too large, or one that can't be written as it is wished, or no
            memory; the message names it.
        OSError: a file that can't be read or written.
    """
    try:
        with _silent_libraries():
            photo = read_photo_file(targets.source, wishes.max_megapixels)
        photo = told_otherwise(photo, wishes.format or _by_name(targets), wishes.quality)
        files, changed = _files(engine, photo, targets, wishes, progress)
    except (ValueError, MemoryError, RuntimeError) as error:
        told = _in_words(error)
        if told is None:
            raise
        raise PhotoError(told if str(targets.source) in told else f"{targets.source}: {told}") from error
    with ExitStack() as unfinished:
        for path, content in files.items():
            unfinished.enter_context(atomic_path(path)).write_bytes(content)
    return changed


def _in_words(error: Exception) -> str | None:
    """What a photo is refused with; None for what is no fault of the photo's."""
    if isinstance(error, ValueError):
        return str(error)
    from sftdec.inference.runtimes import RuntimeFailedError
    from sftdec.runtime import is_out_of_memory

    if is_out_of_memory(error):
        return "no memory was left for it; allow less with --memory or --tile, so that smaller tiles are taken"
    return str(error) if isinstance(error, RuntimeFailedError) else None


def _by_name(targets: Targets) -> str | None:
    """The format that the result's name says, where its ending isn't the photo's own; else None."""
    ending = targets.result.suffix.lower()
    if ending == targets.source.suffix.lower():
        return None
    return next(name for name, kind in FORMATS.items() if ending in kind.endings)


def _files(
    engine: "Engine", photo: Photo, targets: Targets, wishes: Wishes, progress: Callable[[int, int], None] | None
) -> tuple[dict[Path, bytes], bool]:
    blend = wishes.blend
    image, defocus = engine(photo.colour, progress, strength=blend.strength, mask=blend.mask, only=blend.only)
    changed = not np.array_equal(image, photo.colour)
    asked = blend.is_whole and engine.everywhere
    if not (changed or asked or wishes.format or wishes.quality or _by_name(targets)):  # losses would come anew
        files = {targets.result: targets.source.read_bytes()}
    else:
        files = {targets.result: encode_photo(photo.with_colour(image))}
    if targets.map is not None:
        files[targets.map] = png_bytes(defocus_levels(defocus))
    if targets.preview is not None or targets.compare is not None:
        from sftdec.photos import comparison, preview

        if targets.preview is not None:
            files[targets.preview] = png_bytes(preview(defocus, engine.sigma_max))
        if targets.compare is not None:
            page = comparison(eight_bits(photo.colour), eight_bits(image), defocus, engine.sigma_max)
            files[targets.compare] = png_bytes(page, photo.attachments.profile)
    return files, changed


@contextmanager
def _silent_libraries() -> Iterator[None]:
    """What libtiff and libpng print of a damaged file, past Python, is in the sentence that refuses it."""
    try:
        before = os.dup(2)
    except OSError:  # it is closed already
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)

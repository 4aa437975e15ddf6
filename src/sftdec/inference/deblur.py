"""From a photo to an all-in-focus photo and its defocus map."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from sftdec.atomic import atomic_path
from sftdec.datasets.images import MAP_LEVELS, open_picture, rgb_levels
from sftdec.devices import Precision, autocast
from sftdec.inference.errors import PhotoError
from sftdec.networks import SFTDec

__all__ = ["PhotoError", "deblur_array", "deblur_file", "find_photos", "map_name", "refuse_equal_names"]

PHOTO_ENDINGS = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")


@torch.inference_mode()
def deblur_array(
    network: SFTDec,
    image: NDArray[np.generic],
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Deblur one sRGB picture H×W×3: uint8, uint16, or float in 0..1; H and W of 16 px or more.

    ``network`` must already be on ``device``.

    Returns:
        The all-in-focus picture, float32 H×W×3 in 0..1, and the defocus map, float32 H×W in 0..1
        (sigma in units of ``network.config.sigma_max`` px).

    Raises:
        PhotoError: another shape or type, a picture that is too small, or values that are NaN or infinite.
    """
    if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < 16:
        raise PhotoError(f"found a picture of shape {image.shape}, expected H×W×3 with H, W of 16 px or more")
    if image.dtype in (np.uint8, np.uint16):
        scaled = image.astype(np.float32) / (255 if image.dtype == np.uint8 else 65535)
    elif np.issubdtype(image.dtype, np.floating):
        scaled = image.astype(np.float32)
        if not np.isfinite(scaled).all():
            raise PhotoError("the picture holds NaN or infinite values")
    else:
        raise PhotoError(f"found a picture of type {image.dtype}, expected uint8, uint16 or float in 0..1")
    device = torch.device(device)
    blurred = torch.from_numpy(scaled).permute(2, 0, 1)[None].to(device)
    with autocast(device, precision):
        restored = network(blurred.contiguous(memory_format=torch.channels_last))
    deblurred = restored.deblurred[0].float().clamp(0, 1).permute(1, 2, 0).cpu().numpy()
    defocus = restored.defocus[0, 0].float().clamp(0, 1).cpu().numpy()
    return np.ascontiguousarray(deblurred), np.ascontiguousarray(defocus)


def find_photos(inputs: Sequence[Path]) -> Iterator[Path]:
    """The photos among files and folders (not their sub-folders), in order.

    Raises:
        PhotoError: an input that doesn't exist, or a folder without photos.
    """
    for path in inputs:
        if path.is_dir():
            photos = sorted(inner for inner in path.iterdir() if inner.suffix.lower() in PHOTO_ENDINGS)
            if not photos:
                raise PhotoError(
                    f"{path}: no photo in this folder; expected files ending in {', '.join(PHOTO_ENDINGS)}"
                )
            yield from photos
        elif path.exists():
            yield path
        else:
            raise PhotoError(f"{path}: there is no such file or folder")


def refuse_equal_names(photos: Sequence[Path], with_map: bool = False) -> None:
    """Refuse photos whose results, or maps, would have one name; ``with_map``: or one's map and another's result.

    Raises:
        PhotoError: naming two of them.
    """
    seen: dict[str, Path] = {}
    for photo in photos:
        other = seen.setdefault(photo.stem.lower(), photo)
        if other is not photo:
            raise PhotoError(f"{other} and {photo}: their results would have one name; deblur them into two folders")
    for photo in photos if with_map else ():
        result = seen.get(Path(map_name(photo)).stem.lower())
        if result is not None and result.suffix.lower() == ".png":
            raise PhotoError(
                f"{photo} and {result}: the map of the one would have the name of the other's result; "
                "deblur them into two folders, or without --map"
            )


def map_name(photo: Path) -> str:
    """The file name of a photo's defocus map."""
    return f"{photo.stem}_defocus.png"


def deblur_file(
    network: SFTDec,
    source: Path,
    folder: Path,
    with_map: bool = False,
    device: torch.device | str = "cpu",
    precision: Precision = "fp32",
) -> list[Path]:
    """Deblur one photo file into ``folder`` under its own name; return the files written, whole or not at all.

    The camera's rotation (EXIF) is applied. ``with_map`` adds ``<name>_defocus.png``, 16-bit grey, full level =
    ``network.config.sigma_max`` px of sigma.

    Raises:
        DataError: a file that is no picture, corrupt or cut short.
        PhotoError: a result that would overwrite its own source, or a picture the network can't take.
    """
    target = folder / source.name
    if target.resolve() == source.resolve():
        raise PhotoError(f"{source}: the result would overwrite the photo itself; give another folder with -o")
    picture = open_picture(source)
    rotated = ImageOps.exif_transpose(picture) or picture
    try:
        deblurred, defocus = deblur_array(network, rgb_levels(rotated), device, precision)
    except PhotoError as error:
        raise PhotoError(f"{source}: {error}") from error
    quality = {"quality": 95} if source.suffix.lower() in (".jpg", ".jpeg", ".webp") else {}
    with atomic_path(target) as temporary:
        result = Image.fromarray(np.rint(deblurred * 255).astype(np.uint8))
        profile = picture.info.get("icc_profile")
        result.save(temporary, format=picture.format or "PNG", icc_profile=profile, **quality)
    if not with_map:
        return [target]
    map_path = folder / map_name(source)
    with atomic_path(map_path) as temporary:
        Image.fromarray(np.rint(defocus * MAP_LEVELS).astype(np.uint16)).save(temporary, format="PNG")
    return [target, map_path]

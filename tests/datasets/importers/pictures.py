"""Pictures that the tests of this folder write."""

import cv2
import numpy as np
from PIL import ExifTags, Image
from scipy.ndimage import gaussian_filter

# how a picture is stored so that a reader who heeds this EXIF orientation sees it upright
_STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def photo(height, width, seed):
    """A textured photo, uint8 H×W×3, that JPEG keeps well."""
    coarse = gaussian_filter(np.random.default_rng(seed).random((height, width, 3)), (2, 2, 0))
    coarse = (coarse - coarse.min()) / (coarse.max() - coarse.min())
    return np.uint8(np.rint(255 * coarse))


def soften(levels, sigma):
    """A photo blurred by a Gaussian of this sigma (px), uint8 H×W×3."""
    return np.uint8(np.rint(gaussian_filter(np.float64(levels), (sigma, sigma, 0), mode="reflect")))


def write(path, array, exif_orientation=None):
    """Write uint8 or uint16, H×W, H×W×3 or H×W×4 (RGBA), in the format of the name's ending; return the path.

    ``array`` is what is to be seen: with an EXIF orientation it is stored turned, so that a reader who heeds it gets
    ``array`` back. JPEG is written at its best, without subsampling of colour.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    array = np.ascontiguousarray(array)
    if array.dtype == np.uint16 and array.ndim == 3:  # Pillow has no 16-bit colour
        order = cv2.COLOR_RGB2BGR if array.shape[2] == 3 else cv2.COLOR_RGBA2BGRA
        encoded, data = cv2.imencode(path.suffix.lower(), cv2.cvtColor(array, order))
        assert encoded and exif_orientation is None
        path.write_bytes(data.tobytes())
        return path
    image = Image.fromarray(array)
    options = {}
    if path.suffix.lower() in (".jpg", ".jpeg"):
        options = {"quality": 100, "subsampling": 0}
    if exif_orientation is not None:
        exif = Image.Exif()
        exif[ExifTags.Base.Orientation] = exif_orientation
        stored = _STORED[exif_orientation]
        image = image if stored is None else image.transpose(stored)
        options["exif"] = exif
    image.save(path, **options)
    return path


def truncate(path, share=0.5):
    """Cut a file short: its header stays, its end is missing; return the path."""
    data = path.read_bytes()
    path.write_bytes(data[: max(64, int(len(data) * share))])
    return path

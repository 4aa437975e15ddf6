from .defocus_pictures import coloured, comparison, preview, scaled, shrunk
from .errors import SMALLEST_SIDE, PhotoError
from .formats import DEVELOP, FORMATS, PHOTO_ENDINGS, RAW_ENDINGS
from .images import (
    MAP_LEVELS,
    defocus_levels,
    picture_header,
    png_bytes,
    read_defocus,
    read_levels,
    read_photo,
    read_picture,
    read_values,
    webp_bytes,
    write_picture,
)
from .mask_file import decode_mask, read_mask
from .photo import Attachments, Encoding, Photo, eight_bits, integers
from .photo_encoding import encode_photo, told_otherwise
from .photo_file import BRIGHTEST, DARKEST, MAX_MEGAPIXELS, Header, Limits, decode, read_photo_file
from .photo_list import Found, Targets, find_photos, plan_targets, refuse_existing, refuse_unwritable, told_unread
from .png_chunks import deep_png

__all__ = [
    "BRIGHTEST",
    "DARKEST",
    "DEVELOP",
    "FORMATS",
    "MAP_LEVELS",
    "MAX_MEGAPIXELS",
    "PHOTO_ENDINGS",
    "RAW_ENDINGS",
    "SMALLEST_SIDE",
    "Attachments",
    "Encoding",
    "Found",
    "Header",
    "Limits",
    "Photo",
    "PhotoError",
    "Targets",
    "coloured",
    "comparison",
    "decode",
    "decode_mask",
    "deep_png",
    "defocus_levels",
    "eight_bits",
    "encode_photo",
    "find_photos",
    "integers",
    "picture_header",
    "plan_targets",
    "png_bytes",
    "preview",
    "read_defocus",
    "read_levels",
    "read_mask",
    "read_photo",
    "read_photo_file",
    "read_picture",
    "read_values",
    "refuse_existing",
    "refuse_unwritable",
    "scaled",
    "shrunk",
    "told_otherwise",
    "told_unread",
    "webp_bytes",
    "write_picture",
]

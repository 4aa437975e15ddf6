from .defocus_pictures import coloured, comparison, preview, shrunk
from .errors import SMALLEST_SIDE, PhotoError
from .images import (
    MAP_LEVELS,
    defocus_levels,
    eight_bits,
    open_picture,
    picture_header,
    png_bytes,
    read_defocus,
    read_photo,
    write_picture,
)
from .mask_file import decode_mask, read_mask
from .photo_encoding import encode_photo, told_otherwise
from .photo_file import MAX_MEGAPIXELS, Attachments, Encoding, Limits, Photo, decode, read_photo_file
from .photo_list import Found, Targets, find_photos, plan_targets, refuse_existing, refuse_unwritable
from .png_chunks import deep_png

__all__ = [
    "MAP_LEVELS",
    "MAX_MEGAPIXELS",
    "SMALLEST_SIDE",
    "Attachments",
    "Encoding",
    "Found",
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
    "open_picture",
    "picture_header",
    "plan_targets",
    "png_bytes",
    "preview",
    "read_defocus",
    "read_mask",
    "read_photo",
    "read_photo_file",
    "refuse_existing",
    "refuse_unwritable",
    "shrunk",
    "told_otherwise",
    "write_picture",
]

from .defocus_pictures import coloured, comparison, preview
from .errors import SMALLEST_SIDE, PhotoError
from .images import MAP_LEVELS, defocus_levels, open_picture, picture_header, read_defocus, read_photo, write_picture
from .orientation import orientation_of, upright
from .photo_encoding import eight_bits, encode_photo, told_otherwise
from .photo_file import MAX_MEGAPIXELS, Attachments, Encoding, Photo, read_photo_file
from .photo_list import Found, Targets, find_photos, plan_targets, refuse_existing, refuse_unwritable
from .png_chunks import deep_png

__all__ = [
    "MAP_LEVELS",
    "MAX_MEGAPIXELS",
    "SMALLEST_SIDE",
    "Attachments",
    "Encoding",
    "Found",
    "Photo",
    "PhotoError",
    "Targets",
    "coloured",
    "comparison",
    "deep_png",
    "defocus_levels",
    "eight_bits",
    "encode_photo",
    "find_photos",
    "open_picture",
    "orientation_of",
    "picture_header",
    "plan_targets",
    "preview",
    "read_defocus",
    "read_photo",
    "read_photo_file",
    "refuse_existing",
    "refuse_unwritable",
    "told_otherwise",
    "upright",
    "write_picture",
]

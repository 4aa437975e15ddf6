from .app import Desk, make_app
from .choices import Choices, default_choice
from .server import open_socket, serve
from .work import checking, deblurring, defocus_colours

__all__ = [
    "Choices",
    "Desk",
    "checking",
    "deblurring",
    "default_choice",
    "defocus_colours",
    "make_app",
    "open_socket",
    "serve",
]

"""``sftdec demo``: a web page on this machine that deblurs photos."""

import argparse
import logging
import secrets
import warnings
from pathlib import Path
from typing import Any

from sftdec.commands.printing import say_wait
from sftdec.registry import DEFAULT_MODEL

HOST, PORT = "127.0.0.1", 7860
MAX_MEGAPIXELS = 25.0


def add_demo(commands: Any) -> None:
    """Add the command to ``argparse``'s sub-parsers."""
    demo = commands.add_parser(
        "demo",
        help="the same as a web page on this machine",
        description="Show a web page that deblurs photos, to this machine alone unless --host says otherwise; "
        "Ctrl-C ends it.",
    )
    demo.add_argument("--port", type=int, default=PORT, help="0 takes any free one (default: %(default)s)")
    demo.add_argument(
        "--host",
        default=HOST,
        metavar="ADDRESS",
        help="of this machine, for other devices: 0.0.0.0 is all of them. The address that is printed then holds a "
        "word which each visitor needs; the way there is not encrypted (default: %(default)s)",
    )
    demo.add_argument(
        "--model",
        metavar="MODEL",
        help=f"chosen at first: a weights file, models:/… or builtin (default: {DEFAULT_MODEL})",
    )
    demo.add_argument("--device", default="auto", help="auto, cpu or cuda[:n] (default: %(default)s)")
    demo.add_argument(
        "--max-megapixels",
        type=float,
        default=MAX_MEGAPIXELS,
        metavar="N",
        help="the largest photo that is taken (default: %(default)g)",
    )
    demo.add_argument("--max-blur", type=float, metavar="PX", help="as for sftdec deblur (default: 24)")
    demo.add_argument("--no-browser", action="store_true", help="don't open the browser")
    demo.set_defaults(run=_demo)


def _demo(arguments: argparse.Namespace) -> int:
    if not 0 < arguments.max_megapixels <= 1000:
        raise ValueError(
            f"--max-megapixels: found {arguments.max_megapixels:g}, expected a number above 0, 1000 at most"
        )
    from sftdec.demo import Choices, default_choice, open_socket, serve

    opened = open_socket(arguments.port, arguments.host)  # a port that is taken is told before seconds of loading
    with opened:
        from sftdec.deblurrer import Deblurrer
        from sftdec.demo import Desk, checking, deblurring, defocus_colours, make_app
        from sftdec.inference import EngineSettings

        root = Path.cwd()
        say_wait("reading the model")
        default = default_choice(arguments.model, root)
        settings = EngineSettings(device=arguments.device, max_blur=arguments.max_blur)
        choices = Choices(root, default, lambda name: Deblurrer.load(name, **settings))
        choices.deblurrer(default.name)  # what is wrong with it is told here, and the first visitor doesn't wait
        logging.getLogger("PIL").setLevel(logging.CRITICAL)  # what it finds in a bad photo is told on the page
        warnings.simplefilter("ignore")
        limit = arguments.max_megapixels
        desk = Desk(choices, deblurring(choices, limit), checking(limit), limit, defocus_colours())
        word = "" if arguments.host in (HOST, "localhost", "::1") else secrets.token_urlsafe(16)
        serve(make_app(desk, word), opened, not arguments.no_browser, word)
    return 0

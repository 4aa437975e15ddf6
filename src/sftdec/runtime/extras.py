"""Packages that aren't installed: which of this project's extras brings one, and the command that installs it."""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:  # every start of sftdec passes here, and nearly none needs them
    from importlib.metadata import Distribution

PROJECT = "sftdec"
# What is imported under another name than it is installed by; "-", "_" and "." are one anyway.
INSTALLED_AS = {
    "cv2": "opencv-python-headless",
    "PIL": "pillow",
    "psycopg2": "psycopg2-binary",
    "ruamel": "ruamel-yaml",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "yaml": "pyyaml",
}
_IN_EXTRA = re.compile(r"""^([\w.-]+).*\bextra\s*==\s*['"]([\w.-]+)['"]""")


class MissingExtraError(ValueError):
    """A package of an extra isn't installed; the message names what needs it, the extra and how to install it."""


@contextmanager
def needs_extra(what: str, preferred: str = "") -> Iterator[None]:
    """Where the block finds a package of an extra missing, say that ``what`` needs it.

    Of several extras that bring the package, ``preferred`` is named, or else the first.

    Raises:
        MissingExtraError: in place of ``ModuleNotFoundError``; that of any other module passes.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        installed = _installed()
        extras = [] if installed is None else extras_with(package, installed)
        if installed is None or not extras:
            raise
        extra = preferred if preferred in extras else extras[0]
        raise MissingExtraError(
            f"{what} needs the extra {extra} ({package} is not installed): {install_command(extra, installed)}"
        ) from error


def extras_with(package: str, installed: "Distribution") -> list[str]:
    """The extras that bring a package, by the name that it is imported under, in the order of pyproject.toml."""
    wanted = _normal(INSTALLED_AS.get(package, package))
    declared = (_IN_EXTRA.match(each) for each in installed.requires or ())
    return [match[2] for match in declared if match and _normal(match[1]) == wanted]


def install_command(extra: str, installed: "Distribution") -> str:
    """How to install an extra from where this project was installed: a checkout, a wheel or a repository.

    Never from an index: there the project's name is anybody's.
    """
    from urllib.request import url2pathname

    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    url = str(origin.get("url", ""))
    if "vcs_info" in origin:
        kind, commit = (origin["vcs_info"][key] for key in ("vcs", "commit_id"))
        return "pip install " + shlex.quote(f"{PROJECT}[{extra}] @ {kind}+{url}@{commit}")
    path = Path(url2pathname(urlsplit(url).path))
    if not url.startswith("file:") or not path.exists():
        return f"pip install -e '.[{extra}]' in a checkout of {PROJECT}"
    editable = "-e " if origin.get("dir_info", {}).get("editable") else ""
    return f"pip install {editable}" + shlex.quote(f"{path}[{extra}]")


def _installed() -> "Distribution | None":
    """What pip knows of this project; None where it runs from a folder without being installed."""
    from importlib import metadata

    try:
        return metadata.distribution(PROJECT)
    except metadata.PackageNotFoundError:
        return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()

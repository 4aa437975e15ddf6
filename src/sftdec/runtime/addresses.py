"""Addresses: shown without the password that they hold, in errors, logs, tags and pages; loopback without a proxy."""

import os
import re
from typing import TypeVar

HIDDEN = "***"
LOOPBACK = ("localhost", "127.0.0.1", "::1")
_USER = re.compile(
    r"(?<=://)(?:"
    r"[^\s:/@'\"]*:(?!\d*(?:[/?#\s'\"]|$))[^\s'\"]*@"  # user:password@, whatever the password holds; no port is one
    r"|[^\s:/@'\"]+@)"  # a token
)
_PARAMETER = re.compile(r"(?i)([?&;][^=&\s?]*(?:pass|pwd|token|secret|key|credential|signature)[^=&\s]*=)[^&\s'\"]+")
Failure = TypeVar("Failure", bound=BaseException)


def without_passwords(text: str) -> str:
    """A text in whose addresses user, password and secret parameters are ``***``."""
    return _PARAMETER.sub(rf"\g<1>{HIDDEN}", _USER.sub(f"{HIDDEN}@", text))


def hush(error: Failure) -> Failure:
    """The error itself: neither it nor what led to it says a password from here on, not in a traceback either."""
    each: BaseException | None = error
    while each is not None:
        each.args = tuple(without_passwords(part) if isinstance(part, str) else part for part in each.args)
        each = each.__cause__ or each.__context__
    return error


def spare_loopback() -> None:
    """Have this process and what it starts ask servers of this machine through no proxy."""
    spared = (os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or "").split(",")
    whole = ",".join(filter(None, [*spared, *(name for name in LOOPBACK if name not in spared)]))
    os.environ.update(no_proxy=whole, NO_PROXY=whole)  # some read the one, some the other

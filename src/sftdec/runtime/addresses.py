"""Addresses as they may be shown: in an error, a log, a tag or on a page, without the password that they hold."""

import re
from typing import TypeVar

HIDDEN = "***"
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

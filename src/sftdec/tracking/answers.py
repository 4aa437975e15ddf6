"""What a store's answer to a call means: done, never, not this time, or not now."""

import re
from collections.abc import Callable
from typing import Any, TypeVar

from sftdec.runtime import without_passwords
from sftdec.tracking.settings import StoreBusyError, TrackingError, TrackingSettings, in_a_sentence

GONE = "RESOURCE_DOES_NOT_EXIST"
LATER = "LATER"  # the code of what the next stage tries again by itself
REFUSALS = (GONE, "INVALID_PARAMETER_VALUE", "BAD_REQUEST", "RESOURCE_ALREADY_EXISTS", "INVALID_STATE")
PASSING = {401, 403, 407, 408, 409, 423, 425, 429}  # of HTTP's 4xx: a key, a lock or time mends them
Result = TypeVar("Result")


class StoreAway(Exception):
    """The store did not answer, or could not serve; what was to be sent stays where it is."""

    def __init__(self, message: str) -> None:
        super().__init__(without_passwords(message))


class StoreShut(StoreAway):
    """The store takes nothing until somebody mends it, such as a deleted experiment: waiting doesn't help."""


class RunDeleted(StoreShut):
    """Somebody deleted the run that the records are of; others have theirs."""


class Refused(Exception):
    """The store answers and will never take this record, or (``LATER``) doesn't this time."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(without_passwords(message))
        self.code = code


def ask(settings: TrackingSettings, function: Callable[..., Result], *arguments: Any) -> Result:
    """What ``function`` returns; raises ``Refused`` or ``StoreAway``, whatever MLflow or what it uses raises."""
    try:
        return function(*arguments)
    except StoreBusyError as error:
        raise StoreAway(str(error)) from error
    except TrackingError as error:
        raise StoreShut(str(error)) from error
    except Exception as error:
        said, code, status = in_a_sentence(error), str(getattr(error, "error_code", "")), _status(error)
        if code in REFUSALS:
            raise Refused(said, code) from error
        if 400 <= status < 500 and status not in PASSING:  # 413: nginx lets 1 MB through if nobody has told it to
            raise Refused(said, f"HTTP {status}") from error
        raise StoreAway(f"{settings.shown}: {said}") from error


def _status(error: Exception) -> int:
    """The HTTP status that an error of requests, botocore or MLflow tells of; 0 where it tells of none."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's
        return int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    told = re.search(r"failed with error code (\d{3}) != ", str(error))
    return int(getattr(response, "status_code", 0) or (told[1] if told else 0))

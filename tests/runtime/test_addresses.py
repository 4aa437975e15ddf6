"""Passwords in addresses."""

import traceback

import pytest

from sftdec.runtime import hush, without_passwords

WORD = "PA/SS@WORD"  # what it holds must not matter


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        (f"http://anna:{WORD}@host:5000/api does not answer", "http://***@host:5000/api does not answer"),
        (f"postgresql+psycopg2://m:{WORD}@h/db", "postgresql+psycopg2://***@h/db"),
        ("'https://TOKEN@host/x'", "'https://***@host/x'"),
        (f"https://:{WORD}@host", "https://***@host"),
        (f"s3://b/k?X-Amz-Signature={WORD}&part=2", "s3://b/k?X-Amz-Signature=***&part=2"),
        (f"postgresql://h/db?user=m&password={WORD}", "postgresql://h/db?user=m&password=***"),
    ],
)
def test_a_password_is_not_shown(told: str, shown: str) -> None:
    assert without_passwords(told) == shown


@pytest.mark.parametrize(
    "told",
    [
        "http://127.0.0.1:5000/#/models/sft-dec@champion",
        "models:/sft-dec@champion at http://h:80 and a@b.c",
        "sqlite:////tmp/a@b/mlflow.db",
        "http://h/x?page_token_size",
    ],
)
def test_what_is_no_password_stays(told: str) -> None:
    assert without_passwords(told) == told


def test_a_traceback_shows_none_either() -> None:
    address = f"http://m:{WORD}@h"

    def fail() -> None:
        try:
            raise OSError(f"{address} refused")
        except OSError as error:
            raise ValueError(f"{address}/api failed", 3) from error

    with pytest.raises(ValueError, match="failed") as caught:
        fail()
    assert WORD not in "".join(traceback.format_exception(hush(caught.value)))

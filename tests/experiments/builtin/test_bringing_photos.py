"""The photos that the built-in model is trained on."""

import hashlib
import struct

import pytest
from jinja2 import Environment, StrictUndefined, Template, meta

from experiments.builtin.photos import HERE, find, read_table

LICENCES = {"public domain", "CC0-1.0"} | {
    f"CC-BY{alike}-{version}" for alike in ("", "-SA") for version in ("2.0", "3.0", "4.0")
}


def test_each_has_an_author_a_source_and_a_licence_that_allows_it():
    rows = read_table("photos.csv")
    assert all(all(row.values()) for row in rows)
    assert {row["licence"] for row in rows} <= LICENCES
    assert sum(row["package"] != "lomiri-wallpapers-16.04" for row in rows) >= 60


def test_each_is_used_and_six_or_more_are_kept_for_validation():
    named = {split: set() for split in ("train", "validation")}
    for row in read_table("camera.csv"):
        named[row["split"]] |= set(row["photo"].split("|"))
    own = {row["name"] for row in read_table("photos.csv")}
    assert own <= named["train"] | named["validation"]
    assert 6 <= len(own & named["validation"]) <= 8
    assert not named["train"] & named["validation"]


def test_one_within_a_qt_resource_file_is_found_by_its_hash(tmp_path):
    held = [b"first", b"", b"the photo"]
    data = b"".join(struct.pack(">I", len(each)) + each for each in held)
    archive = struct.pack(">4s4I", b"qres", 3, 24 + len(data) + 6, 24, 24 + len(data)) + bytes(4) + data + b"names"
    (tmp_path / "erase.rcc").write_bytes(archive)
    row = {"package": "p", "file": "erase.rcc/crab.webp", "sha256": hashlib.sha256(held[2]).hexdigest()}
    assert find(row, tmp_path) == held[2]
    with pytest.raises(ValueError, match=r"p, erase\.rcc/crab\.webp: found nothing of SHA-256 0000000000000000…"):
        find(row | {"sha256": "0" * 64}, tmp_path)


def test_the_card_names_author_and_licence_of_each_and_says_what_was_kept():
    text = (HERE / "card.md.jinja").read_text("utf-8")
    numbers = dict.fromkeys(meta.find_undeclared_variables(Environment().parse(text)), 1)
    rows = read_table("photos.csv")
    given = {"figures": [], "legs": [], "photos": rows, "kept": {"hawa_mahal"}}
    card = Template(text, undefined=StrictUndefined).render(numbers | given)
    lines = {line.split(" (")[0]: line for line in card.splitlines() if "shrunk" in line}
    for row in rows:
        line = lines[f"| {row['name']}"]
        assert all(row[part] in line for part in ("source", "package", "author", "licence"))
        assert ("validation" in line) == (row["name"] == "hawa_mahal")
    assert f"- {sum('SA' in row['licence'] for row in rows)} of them are under CC-BY-SA" in card

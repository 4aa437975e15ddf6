"""The model that ships as a rival of what serves: both on the registry's own test photos, and which is taken."""

import pandas as pd

from sftdec.builtin import NAME, builtin_weights
from sftdec.registry.gate import PHOTO
from sftdec.registry.judging import MEASURING_TAG, Judge, Refusal
from sftdec.registry.store import Version, open_registry, read_version, tag_version
from sftdec.runtime import checksum

PREFIX = "builtin."  # of the tags that tell how the model that ships did on the version's test photos
COMPARE = "`sftdec promote --rebase --reason …` compares them"


def compare_with_shipped(version: Version, judge: Judge) -> Version:
    """Measure the model that ships on the photos a version is judged by, and tag the version with what came of it.

    A version that can't be measured, or that was compared with these weights on these photos already, stays as it is.
    """
    described = {
        "weights_sha256": checksum(builtin_weights()),
        "scenes": judge.scenes_hash,
        "measuring": judge.basis[MEASURING_TAG],
    }
    if all(version.tags.get(PREFIX + key) == value for key, value in described.items()):
        return version
    try:
        mine = judge.evaluate(version)
    except Refusal:
        return version
    theirs = judge.evaluate_weights(builtin_weights())
    psnr, images = _over_photos(theirs), len(theirs)
    gain = _over_photos(mine) - psnr
    measured = {"psnr": f"{psnr:.6f}", "gain": f"{gain:.6f}", "images": str(images)}
    with open_registry(judge.settings) as client:
        tag_version(client, version, {PREFIX + key: value for key, value in (measured | described).items()})
        return read_version(client, version.number)


def _over_photos(table: pd.DataFrame) -> float:
    """The mean PSNR, each photo counting once, as the gate has it."""
    return float(table.groupby(PHOTO)["psnr"].mean().mean())


def beats_shipped(version: Version) -> tuple[bool, str]:
    """Whether a version was judged better than the model that ships, and that in words."""
    tags, digest = version.tags, checksum(builtin_weights())
    if tags.get("weights_sha256") == digest:
        return True, f"it serves, and is {NAME} itself"
    if tags.get(PREFIX + "weights_sha256") != digest:
        return False, f"{version.uri} serves and was not compared with it: {COMPARE}"
    psnr, gain = float(tags[PREFIX + "psnr"]), float(tags[PREFIX + "gain"])
    of = f"on the registry's {tags[PREFIX + 'images']} test pictures"
    if gain > 0:
        return True, f"it serves, {psnr + gain:.2f} dB {of}; {NAME} {psnr:.2f}"
    return False, f"{psnr:.2f} dB {of}; {version.uri}, which serves, {psnr + gain:.2f}"

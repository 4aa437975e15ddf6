"""Versions of the registry, loaded back and judged on one folder of scenes; and whether that gives what it gave."""

import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sftdec.registry.model_versions import resolve_weights
from sftdec.registry.store import SCENES_TAG, ArtifactError, Version
from sftdec.runtime import Imports, checksum
from sftdec.tracking import TrackingSettings, read_settings

if TYPE_CHECKING:
    import torch

    from sftdec.datasets import Split
    from sftdec.networks import SFTDec

MEASURING_TAG = "hash.measuring"  # of the code that measured them
SPLIT_TAG = "measured.split"
_BASIS = {SCENES_TAG: "other pictures", MEASURING_TAG: "other code or another protocol", SPLIT_TAG: "another split"}
MEASURING = "sftdec.evaluation.evaluate"
SSIM_SHARE = 0.1  # of the tolerance in dB; where PSNR moves by 0.01 dB, SSIM does by thousandths at most


class Refusal(ValueError):
    """A version can't be judged, so it is not promoted; the message says why and what mends it."""


class Judge:
    """Evaluates versions on the scenes of one split below ``scenes``, on ``device`` (auto, cpu, cuda[:n])."""

    def __init__(
        self, scenes: Path, split: "Split", device: str, root: Path, settings: TrackingSettings | None = None
    ) -> None:
        self.scenes, self.split, self.device, self.root = scenes, split, device, root
        self.settings = settings or read_settings(root)
        self._tables: dict[int, pd.DataFrame] = {}  # by version; measuring takes minutes on a large set
        self._measured: dict[str, pd.DataFrame] = {}  # by the weights' SHA-256

    @cached_property
    def scenes_hash(self) -> str:
        """SHA-256 over the judged scenes' names, scales and their pictures' checksums, as the index has them.

        Photos that are added for training alone don't change it. Raises ``DataError`` where there are no scenes.
        """
        from sftdec.datasets import read_index, select_scenes

        columns = ["dataset", "scene", "sigma_max", "blurred_sha256", "sharp_sha256", "defocus_sha256"]
        rows = select_scenes(read_index(self.scenes), self.split)[columns].sort_values(columns[:2])
        lines = ("\t".join(map(str, row)) for row in rows.itertuples(index=False))
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @cached_property
    def basis(self) -> dict[str, str]:
        """What figures that are measured now are of, as tags: the pictures, their split, the code and the protocol."""
        return {SCENES_TAG: self.scenes_hash, MEASURING_TAG: _measuring_hash(), SPLIT_TAG: self.split}

    def check_split(self) -> None:
        """Raises ``Refusal`` where photos are to judge by on which the weights themselves were chosen."""
        if self.split != "test":
            raise Refusal(
                f"weights are chosen on the validation photos as they train, so the photos of {self.split!r} can't be "
                "what decides who serves; set evaluate.split: test"
            )

    def evaluate(self, version: Version) -> pd.DataFrame:
        """The version's table, a row a scene with its ``photo``, by the code that made the registered figures.

        Raises ``Refusal`` where its file is missing or was changed, or it can't be measured (NaN).
        """
        if version.number in self._tables:
            return self._tables[version.number]
        from sftdec.networks import load_weights
        from sftdec.runtime import choose_device

        try:
            network = load_weights(resolve_weights(version.uri, self.root, self.settings))
        except ArtifactError as error:
            raise Refusal(str(error)) from error
        device = choose_device(self.device)
        try:
            self._tables[version.number] = table = self._measure(network, device)
        except ValueError as error:
            raise Refusal(f"{version.uri} can't be measured: {error}") from error
        return table

    def evaluate_weights(self, weights: Path) -> pd.DataFrame:
        """The table of a weights file, measured once. Raises ``ValueError`` where it can't be measured."""
        from sftdec.networks import load_weights
        from sftdec.runtime import checksum, choose_device

        digest = checksum(weights)
        if digest not in self._measured:
            self._measured[digest] = self._measure(load_weights(weights), choose_device(self.device))
        return self._measured[digest]

    def _measure(self, network: "SFTDec", device: "torch.device") -> pd.DataFrame:
        from sftdec.datasets import load_scenes
        from sftdec.evaluation import evaluate_network

        table = evaluate_network(network.to(device), load_scenes(self.scenes, self.split), str(device))
        return table.assign(photo=table["scene"].map(self._photos))

    @cached_property
    def _photos(self) -> dict[str, str]:
        """The photo that each scene is of."""
        from sftdec.datasets import read_index

        index = read_index(self.scenes)
        return dict(zip(index["scene"], index["photo"], strict=True))

    def check_reproduced(self, version: Version, table: pd.DataFrame, tolerance: float) -> None:
        """Raises ``Refusal`` where a mean PSNR of the table differs from the registered by more than ``tolerance`` dB,
        or a mean SSIM by more than a tenth of that.
        """
        for key, found in figures(table).items():
            if not key.endswith((".psnr", ".ssim")):
                continue
            allowed = tolerance * (1 if key.endswith(".psnr") else SSIM_SHARE)
            registered = version.tags.get(key)
            if registered is None or not abs(float(registered) - float(found)) <= allowed:
                raise Refusal(
                    f"{version.uri} doesn't reproduce its registered figure: {key} is {registered or 'not registered'}"
                    f", measured now {found} (at most {allowed:g} may differ, gate.tolerance); {self._mend(version)}"
                )

    def check_scenes(self, version: Version) -> None:
        """Raises ``Refusal`` where the version's registered figures are of other photos than there are now."""
        registered = version.tags.get(SCENES_TAG)
        if registered != self.scenes_hash:
            of = f"photos with checksum {registered[:12]}…" if registered else "photos it has no checksum of"
            raise Refusal(
                f"{version.uri} was measured on {of}, and {self.scenes} ({self.split}) has {self.scenes_hash[:12]}…: "
                f"another data version; {self._mend(version)}"
            )

    def _mend(self, version: Version) -> str:
        if "champion" not in version.aliases:
            return "register it anew: dvc repro -f register"
        return (
            "if that is meant, measure the champion anew with `sftdec promote --rebase --reason …` and run "
            "`dvc repro -f register` (gate.on_new_data: rebase does it by itself when photos change)"
        )


def incomparable(mine: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """In words, why two versions' registered figures, by their tags, can't be set side by side; empty where they can.

    What isn't known of one of them counts as different.
    """
    return ", ".join(word for tag, word in _BASIS.items() if tag not in mine or mine[tag] != theirs.get(tag))


def _measuring_hash() -> str:
    """SHA-256 over the code that evaluates networks, and the protocol's words."""
    from sftdec.evaluation import PROTOCOL

    source = Path(__file__).parents[2]
    files = {file.relative_to(source).as_posix(): checksum(file) for file in Imports().closure(MEASURING)}
    return hashlib.sha256(
        "\n".join([PROTOCOL, *(f"{name} {files[name]}" for name in sorted(files))]).encode()
    ).hexdigest()


def figures(table: pd.DataFrame) -> dict[str, str]:
    """The tags ``metric.<data set>.<measure>`` that a table's means are registered as."""
    from sftdec.evaluation import summarise
    from sftdec.lineage import flatten

    return {f"metric.{key}": value for key, value in flatten(summarise(table)).items()}

"""What the page is made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from sftdec.params import Params
from sftdec.reporting.document import Document
from sftdec.reporting.gallery import Comparison


@dataclass(frozen=True)
class Material:
    """An evaluation, and whatever else is at hand; what is left out leaves its part of the page out.

    `metrics` is what `summarise` makes of `per_image`; `curves` maps stages to tables for `training_curves`;
    `figures` is the folder of the panels and of the contact sheet; `scenes` and `patches` are the folders that the
    stages of these names make; `documents` are what experiments say of their figures (`table1`, `table2`, `table3`,
    `readings`); `published` is the folder of what else they left (`table2.csv`, `figures/comparison/*.webp`), each of
    which may be missing; `weights` the file of the network that was judged; `lineage` names what the figures follow
    from, with their checksums; `outdated` has a sentence by experiment where its tables are older than the code.
    """

    metrics: Mapping[str, Mapping[str, float | int]]
    per_image: pd.DataFrame
    curves: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    comparisons: Sequence[Comparison] = ()
    figures: Path | None = None
    scenes: Path | None = None
    patches: Path | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    published: Path | None = None
    outdated: Mapping[str, str] = field(default_factory=dict)
    weights: Path | None = None
    params: Params | None = None
    lineage: Mapping[str, str] = field(default_factory=dict)


class Fidelity(NamedTuple):
    """How closely pictures are embedded: greatest width in px of a slider, a panel and a thumbnail; JPEG quality."""

    slider: int
    panel: int
    thumbnail: int
    quality: int


FIDELITIES = (
    Fidelity(960, 1536, 240, 88),
    Fidelity(800, 1400, 220, 84),
    Fidelity(640, 1280, 200, 80),
    Fidelity(520, 1100, 160, 72),
    Fidelity(400, 900, 96, 62),
)

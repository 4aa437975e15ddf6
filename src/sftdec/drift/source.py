"""The whole check: incoming photos, or the records of some, against what a network was trained on."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from sftdec.drift.check import DriftLimits, DriftReport, check_drift
from sftdec.drift.picture import drift_figure
from sftdec.drift.records import read_records
from sftdec.drift.reference import training_reference
from sftdec.drift.statistics import STATISTICS, WINDOW, Gauge, measure_files

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

    from sftdec.networks import SFTDec

DEFAULT_LIMITS = DriftLimits()
Progress = Callable[[list[Path]], Iterable[Path]]  # may wrap a list of files in a bar


@dataclass(frozen=True)
class Comparison:
    """A report and the figures that it is of, a row a photo."""

    report: DriftReport
    reference: pd.DataFrame
    incoming: pd.DataFrame

    def figure(self) -> "Figure":
        """Each statistic's distribution, then and now."""
        return drift_figure(self.reference, self.incoming, self.report)


def compare_with_training(
    source: Path,
    index: Path,
    network: "SFTDec",
    device: "torch.device | str" = "cpu",
    limits: DriftLimits = DEFAULT_LIMITS,
    window: int = WINDOW,
    progress: Progress = list,
) -> Comparison:
    """Check the photos of ``source`` against the training index ``index`` (see ``training_reference``).

    ``network`` must already be on ``device``; its defocus map measures sigma on both sides.

    Raises:
        DriftError: no such index or records, or too little of the training to compare with.
        PhotoError: no such folder, or one without photos.
    """
    gauge = Gauge.of(network, window)
    reference = training_reference(index, network, gauge, device, progress)
    incoming, left_out = incoming_statistics(source, network, gauge, device, progress)
    return Comparison(check_drift(reference, incoming, limits, tuple(left_out)), reference, incoming)


def incoming_statistics(
    source: Path,
    network: "SFTDec",
    gauge: Gauge,
    device: "torch.device | str" = "cpu",
    progress: Progress = list,
) -> tuple[pd.DataFrame, list[str]]:
    """The figures of a folder of photos (not its sub-folders), or of a file of records; and what was left out.

    A photo that is there twice counts once: it is no second witness.

    Raises:
        DriftError: the file holds no records.
        PhotoError: no such folder, or one without photos.
    """
    from sftdec.photos import find_photos

    if source.is_file():
        table, left_out = read_records(source, gauge)
    else:
        files = progress([photo.path for photo in find_photos([source])])
        measured = [found for _, found in measure_files(network, files, gauge.window, device)]
        rows = [found for found in measured if isinstance(found, dict)]
        left_out = [found for found in measured if isinstance(found, str)]
        table = pd.DataFrame(rows, columns=list(STATISTICS), dtype=float)
    once = table.drop_duplicates(ignore_index=True)
    if repeated := len(table) - len(once):
        left_out.append(f"{source}: {repeated} photos are there more than once")
    return once, left_out

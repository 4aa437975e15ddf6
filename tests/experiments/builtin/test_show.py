"""README's picture is what the model that ships makes of the sample photo."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from experiments.builtin import photos, show
from sftdec.runtime import checksum

ROOT = Path(__file__).parents[3]


@pytest.mark.services
def test_the_picture_is_todays(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.argv", ["", "--out", str(out := tmp_path / "picture.png")])
    monkeypatch.setattr(show, "SAVED", {})
    show.main()
    made, shown = (np.asarray(Image.open(path)).astype(float) for path in (out, ROOT / "docs/before-after.jpg"))
    assert made.shape == shown.shape and np.abs(made - shown).mean() < 2  # levels; the JPEG's


def test_its_photo_is_none_that_is_trained_on():
    sample = ROOT / "src/sftdec/demo/page/bee.jpg"
    assert checksum(sample) not in {row["sha256"] for row in photos.read_table("photos.csv")}

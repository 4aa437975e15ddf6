"""What the files of scenes are: the photos' own where these will do."""

import shutil

import numpy as np
import pytest
from PIL import Image

from sftdec.datasets import load_scene, load_scenes
from sftdec.datasets.fetching import fetch
from sftdec.datasets.importers.pair import read_pair
from sftdec.datasets.kept import Kept
from sftdec.datasets.listing import Entry
from sftdec.datasets.scene import Scene, write_scene
from sftdec.photos import read_defocus, read_photo
from tests.datasets.importers.pictures import photo, soften, write
from tests.datasets.test_fetch import params

SPLITS = ("train", "val", "test")


def pairs(folder, ending, **options):
    """A triplet a split, photos of this ending."""
    for number, split in enumerate(SPLITS):
        sharp = photo(48, 56, number)
        write(folder / split / "sharp" / f"a{number}{ending}", sharp, **options)
        write(folder / split / "blurred" / f"a{number}{ending}", soften(sharp, 1.5), **options)
        write(folder / split / "defocus" / f"a{number}.png", np.full((48, 56), 64, np.uint8))
    return folder


def test_jpegs_stay_the_files_that_they_are_and_are_needed_no_longer(tmp_path):
    folder = pairs(tmp_path / "data" / "mine", ".JPG")
    index, refused = fetch(params("mine"), tmp_path / "data", tmp_path / "scenes", kept=Kept(tmp_path / "kept"))
    assert refused.empty and len(index) == 3
    for row in index.to_dict("records"):
        number = SPLITS.index(row["split"].replace("idation", ""))
        for part in ("blurred", "sharp"):
            source = folder / SPLITS[number] / part / f"a{number}.JPG"
            copy = tmp_path / "scenes" / row[part]
            assert copy.suffix == ".jpg" and copy.read_bytes() == source.read_bytes()
            assert copy.stat().st_ino != source.stat().st_ino  # DVC makes what it has read-only
    before = {scene.name: scene for scene in load_scenes(tmp_path / "scenes")}
    again, _ = fetch(params("mine"), tmp_path / "data", tmp_path / "again", kept=Kept(tmp_path / "kept"))
    assert again.equals(index)
    shutil.rmtree(tmp_path / "data")
    shutil.rmtree(tmp_path / "scenes")
    for scene in load_scenes(tmp_path / "again"):
        assert all(np.array_equal(getattr(scene, p), getattr(before[scene.name], p)) for p in ("blurred", "sharp"))


@pytest.mark.parametrize(
    ("ending", "depth", "stays"),
    [(".jpg", np.uint8, True), (".png", np.uint8, True), (".webp", np.uint8, True), (".avif", np.uint8, True),
     (".bmp", np.uint8, False), (".tif", np.uint8, False), (".png", np.uint16, False)],
)  # fmt: skip
def test_a_photo_is_the_file_that_reads_as_it_unless_pixels_take_less(tmp_path, ending, depth, stays):
    levels = photo(48, 56, 0)
    deep = levels.astype(np.uint16) * 257 + np.random.default_rng(0).integers(0, 100, levels.shape, np.uint16)
    source = write(tmp_path / f"a{ending}", levels if depth == np.uint8 else deep)
    seen = read_photo(source)
    scene = Scene("set/a", "set", "train", "a", 6.0, seen, seen, np.zeros((48, 56), np.float32))
    row = write_scene(tmp_path / "out", scene, {"blurred": source, "sharp": source})
    assert ((tmp_path / "out" / row["sharp"]).read_bytes() == source.read_bytes()) == stays
    assert row["sharp"].endswith(ending if stays else ".webp")
    assert np.array_equal(load_scene(tmp_path / "out", row).sharp, seen)


def test_a_photo_that_its_exif_turns_stays_its_file(tmp_path):
    pairs(tmp_path / "data" / "mine", ".jpg", exif_orientation=6)
    index, _ = fetch(params("mine"), tmp_path / "data", tmp_path / "scenes")
    assert index["blurred"].str.endswith(".jpg").all() and index["height"].tolist() == [48] * 3
    assert [scene.blurred.shape for scene in load_scenes(tmp_path / "scenes")] == [(48, 56, 3)] * 3


def test_of_a_pair_that_was_aligned_the_blurred_photo_stays_its_file(tmp_path):
    whole = photo(96, 120, 0)
    source = write(tmp_path / "a.jpg", whole)
    cut = read_photo(source)[3:-3, 3:-3]
    scene = Scene("set/a", "set", "train", "a", 6.0, cut, whole[3:-3, 3:-3], np.zeros((90, 114), np.float32))
    row = write_scene(tmp_path / "out", scene, {"blurred": source, "sharp": source})
    assert (tmp_path / "out" / row["blurred"]).read_bytes() == source.read_bytes()
    assert row["sharp"].endswith(".webp") and (row["height"], row["width"]) == (90, 114)
    read = load_scene(tmp_path / "out", row)
    assert np.array_equal(read.blurred, cut) and np.array_equal(read.sharp, scene.sharp)


def test_a_file_of_other_levels_is_not_taken_for_the_photo(tmp_path):
    levels = photo(48, 56, 0)
    source = write(tmp_path / "a.jpg", soften(levels, 1.5))
    scene = Scene("set/a", "set", "train", "a", 6.0, levels, levels, np.zeros((48, 56), np.float32))
    row = write_scene(tmp_path / "out", scene, {"blurred": source, "sharp": source})
    assert row["sharp"].endswith(".webp") and np.array_equal(read_photo(tmp_path / "out" / row["sharp"]), levels)


@pytest.mark.parametrize("width", [32, 16400])
def test_what_has_no_source_or_is_too_wide_for_webp_is_png(tmp_path, width):
    levels = np.zeros((16, width, 3), np.uint8)
    scene = Scene("set/a", "set", "train", "a", 6.0, levels, levels, levels[..., 0].astype(np.float32))
    other = {"blurred": write(tmp_path / "a.png", levels + 1)} if width > 32 else {}
    assert write_scene(tmp_path, scene, other)["blurred"].endswith(".png")


@pytest.mark.parametrize(("levels", "mode"), [(np.arange(256) / 255, "L"), (np.arange(256) / 256, "I;16")])
def test_a_map_takes_as_many_bits_as_it_needs(tmp_path, levels, mode):
    defocus = np.float32(levels).reshape(16, 16)
    grey = np.zeros((16, 16, 3), np.uint8)
    row = write_scene(tmp_path, Scene("set/a", "set", "train", "a", 6.0, grey, grey, defocus))
    with Image.open(tmp_path / row["defocus"]) as picture:
        assert picture.mode == mode
    assert np.abs(read_defocus(tmp_path / row["defocus"]) - defocus).max() < (1e-7 if mode == "L" else 1e-5)
    rendered = Scene("set/a", "set", "train", "a", 6.0, grey, grey, defocus, map_known=True)
    with Image.open(tmp_path / write_scene(tmp_path, rendered)["defocus"]) as picture:
        assert picture.mode == "I;16"


def test_an_estimated_map_takes_eight_bits(tmp_path):
    sharp = photo(96, 120, 1)
    files = [write(tmp_path / f"{number}.jpg", levels) for number, levels in enumerate((soften(sharp, 2.0), sharp))]
    scene = read_pair("set", Entry("a", "a", "train", *files), 6.0)
    levels = 255 * scene.defocus.astype(np.float64)
    assert np.abs(levels - np.rint(levels)).max() < 1e-4 and scene.defocus.max() > 0.2

"""Which photos ``deblur`` finds, and where its results go."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sftdec.cli import main
from sftdec.runtime.atomic import _temporary_name
from tests.commands.pictures import names, photo


def test_files_folders_and_patterns_are_found_in_order_and_each_once(tmp_path, weights, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.jpg", "a.PNG", "sub/c.png", "sub/._c.png"):
        photo(tmp_path / "in" / name)
    (tmp_path / "in" / "notes.txt").touch()
    common = ["--model", weights, "-o"]
    assert main(["deblur", "in", "in/b.jpg", *common, "out"]) == 0
    assert names(tmp_path / "out") == ["a.PNG", "b.jpg"]
    assert main(["deblur", "in/*.jpg", "in/**/c.*", *common, "matched"]) == 0
    assert names(tmp_path / "matched") == ["b.jpg", "c.png"]
    for _ in range(2):  # the second time without the first time's results
        assert main(["deblur", "in", "--recursive", "--force", *common, "in/out"]) == 0
        assert names(tmp_path / "in" / "out") == ["a.PNG", "b.jpg", "sub/c.png"]
    (tmp_path / "empty").mkdir()
    capsys.readouterr()
    for given, said in (
        ("empty", "no photo in this folder"),
        ("in/*.gif", "no file matches"),
        ("gone", "no such file"),
    ):
        assert main(["deblur", given, *common, "none"]) == 2 and said in capsys.readouterr().err


def test_what_lies_in_a_folder_and_is_not_read_is_said_at_the_end(tmp_path, weights, capsys):
    photo(tmp_path / "in" / "a.png")
    for name in ("b.dng", "c.NEF", "d.txt", "e.txt", "sub/f.gif", ".hidden.txt"):
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).touch()
    common = ["--model", weights, "-o", str(tmp_path / "in" / "out"), "--force"]
    for more, counts in (([], "1 .dng, 1 .nef, 2 .txt"), (["--recursive"], "1 .dng, 1 .gif, 1 .nef, 2 .txt")):
        assert main(["deblur", str(tmp_path / "in"), *common, *more]) == 0
        (line,) = [line for line in capsys.readouterr().err.splitlines() if "not read" in line]
        assert line.startswith(f"sftdec: not read: {counts}; of a camera's raw files: develop it first")
    (tmp_path / "in" / "a.png").rename(tmp_path / "a.png")
    assert main(["deblur", str(tmp_path / "in"), *common]) == 2
    assert "no photo in this folder (not read: 1 .dng, 1 .nef, 2 .txt; of a camera's raw" in capsys.readouterr().err
    (tmp_path / "a.png").rename(tmp_path / "in" / "a.png")
    for name, code in (("a.png", 0), ("b.dng", 1)):
        assert main(["deblur", str(tmp_path / "in" / name), *common]) == code
        assert "not read" not in capsys.readouterr().err


def test_a_folder_that_nobody_looks_into_is_said(tmp_path, weights, capsys, monkeypatch):
    photo(tmp_path / "in/a.png")
    photo(tmp_path / "elsewhere/b.png")
    (tmp_path / "in/linked").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in/shut").mkdir()
    may = os.access
    monkeypatch.setattr("os.access", lambda path, mode: Path(path).name != "shut" and may(path, mode))  # root may
    command = ["deblur", str(tmp_path / "in"), "--model", weights, "-o", str(tmp_path / "out")]
    assert main([*command, "--recursive"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "not read" in line]
    assert f"the folder {tmp_path / 'in/linked'} (a link; name it by itself)" in line
    assert f"the folder {tmp_path / 'in/shut'} (no right to read it)" in line
    assert main([*command, "--force"]) == 0 and "not read" not in capsys.readouterr().err
    (tmp_path / "in/shut").rmdir()
    (tmp_path / "in/linked").unlink()
    (tmp_path / "in/results").symlink_to(tmp_path / "out")  # whose photos are results, and no others
    command[-1] = str(tmp_path / "in/results")
    assert main([*command, "--recursive", "--force"]) == 0 and "not read" not in capsys.readouterr().err


def test_a_format_without_a_place_for_what_is_kept_becomes_a_png(tmp_path, weights):
    for name in ("a.bmp", "b.JP2", "c.avif"):
        photo(tmp_path / "in" / name)
    assert main(["deblur", str(tmp_path / "in"), "--model", weights, "-o", str(tmp_path / "out")]) == 0
    assert names(tmp_path / "out") == ["a.png", "b.png", "c.avif"]
    assert [Image.open(tmp_path / "out" / name).format for name in names(tmp_path / "out")] == ["PNG", "PNG", "AVIF"]


def test_what_becomes_a_png_is_one_although_nothing_of_it_changes(tmp_path, weights):
    levels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    for name, kind in (("a.bmp", "BMP"), ("b.jp2", "JPEG2000"), ("c.bmp", "JPEG")):
        Image.fromarray(levels).save(tmp_path / name, kind)
    common = ["--model", weights, "--device", "cpu", "--strength", "0"]
    assert (
        main(
            [
                "deblur",
                *(str(tmp_path / name) for name in ("a.bmp", "b.jp2", "c.bmp")),
                "-o",
                str(tmp_path / "out"),
                *common,
            ]
        )
        == 0
    )
    made = {path.name: Image.open(path) for path in (tmp_path / "out").iterdir()}
    assert {name: picture.format for name, picture in made.items()} == dict.fromkeys(("a.png", "b.png", "c.png"), "PNG")
    assert np.array_equal(made["a.png"], levels)


def test_what_is_there_already_is_named_and_stays_without_force(tmp_path, weights, capsys):
    sources = [photo(tmp_path / f"{name}.png") for name in "abc"]
    out = tmp_path / "out"
    out.mkdir()
    (out / "a.png").write_bytes(b"mine")
    (out / "c_defocus.png").write_bytes(b"mine too")
    command = ["deblur", *sources, "-o", str(out), "--map", "--model", weights]
    assert main(command) == 2
    said = capsys.readouterr().err
    assert f"{out / 'a.png'}, {out / 'c_defocus.png'}: already there" in said and "--force" in said
    assert names(out) == ["a.png", "c_defocus.png"] and (out / "a.png").read_bytes() == b"mine"
    assert main([*command, "--force"]) == 0 and len(names(out)) == 9 and (out / "a.png").read_bytes() != b"mine"


@pytest.mark.parametrize(
    ("photos", "more", "message"),
    [
        (["a/1.jpg", "b/1.jpg"], [], "both would become"),
        (["a/1.jpg", "b/1.png"], ["--format", "webp"], "both would become"),
        (["a/1.jpg", "b/1.PNG"], ["--map"], "both would become"),
        (["a/c.jpg", "a/c_Defocus.PNG"], ["--map"], "both would become"),
        (["out/1.jpg"], ["--force"], "would overwrite the photo itself"),
        (["a/1.jpg", "out/1.png"], ["--force", "--format", "png"], "would overwrite the photo"),
    ],
)
def test_results_of_one_name_and_photos_in_a_results_place_are_refused_before_anything(
    tmp_path, weights, capsys, photos, more, message
):
    sources = [photo(tmp_path / name) for name in photos]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert main(["deblur", *sources, "-o", str(tmp_path / "out"), "--model", weights, *more]) == 2
    assert message in capsys.readouterr().err
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def test_a_file_where_the_results_folder_should_be_is_one_sentence(tmp_path, weights, capsys):
    assert main(["deblur", photo(tmp_path / "a.png"), "-o", weights, "--model", weights]) == 2
    assert capsys.readouterr().err.startswith(f"sftdec: {weights}: found a file, expected a folder")


def test_a_folder_that_can_not_be_written_to_is_refused_before_anything_is_computed(tmp_path, weights, capsys):
    photo(tmp_path / "in" / "a.png")
    photo(tmp_path / "in" / "sub" / "b.png")
    out = tmp_path / "out"
    out.mkdir()
    (out / "sub").touch()
    command = ["deblur", str(tmp_path / "in"), "--recursive", "--model", weights, "-o"]
    for folder, said in ((out, out / "sub"), (Path("/proc"), Path("/proc")), (Path("/proc/new"), Path("/proc/new"))):
        if folder.parts[1] == "proc" and sys.platform != "linux":
            continue
        assert main([*command, str(folder)]) == 2
        message = capsys.readouterr().err
        assert message.startswith(f"sftdec: {said}: can't be written to (") and "with -o" in message
        assert names(out) == ["sub"]
    assert main([*command[:-3], "--model", "none.safetensors", "-o", str(tmp_path / "new" / "one")]) == 2
    assert not (tmp_path / "new").exists()


def test_results_may_go_into_the_photos_folder_or_one_above_it(tmp_path, weights, monkeypatch):
    photo(tmp_path / "holiday/day/a.png")
    monkeypatch.chdir(tmp_path)
    common = ["--model", weights, "--device", "cpu"]
    assert main(["deblur", "holiday/day", "-o", ".", *common]) == 0 and (tmp_path / "a.png").is_file()
    assert main(["deblur", "holiday/day", "-o", "holiday", *common]) == 0 and (tmp_path / "holiday/a.png").is_file()


def test_an_empty_name_is_no_folder(tmp_path, weights, capsys):
    assert main(["deblur", "", "-o", str(tmp_path), "--model", weights]) == 2
    assert "found an empty name among the photos" in capsys.readouterr().err


def test_names_as_long_as_the_file_system_takes_are_written(tmp_path, weights):
    sources = [photo(tmp_path / f"{stem}.png") for stem in ("n" * 251, "\u00e4" * 125, "n" * 239)]
    assert main(["deblur", *sources, "-o", str(tmp_path / "out"), "--model", weights]) == 0
    assert names(tmp_path / "out") == sorted(Path(source).name for source in sources)
    assert _temporary_name("a.png") == f".a.png.{os.getpid()}.part"
    first, second = (_temporary_name("n" * 250 + ending) for ending in (".png", ".jpg"))
    assert first != second and len(first) <= 255 and first.endswith(f".{os.getpid()}.part")

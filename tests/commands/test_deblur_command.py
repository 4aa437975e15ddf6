"""The command ``deblur``, on real (untrained) networks."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from benchmarks.fuzz_photos import fuzz
from sftdec.cli import main
from sftdec.deblurrer import Deblurrer
from sftdec.networks import build_network, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.runtime.atomic import _temporary_name
from tests.photos.written import DEEP, LEVELS, deep_tiff, encoded, exif
from tests.tiny import TINY, stirred_network, tiny_weights


@pytest.fixture
def weights(tmp_path: Path) -> str:
    save_weights(stirred_network(), tmp_path / "weights.safetensors")
    return str(tmp_path / "weights.safetensors")


def photo(path: Path, seed: int = 0) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (40, 30, 3), np.uint8)).save(path)
    return str(path)


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_photo_becomes_what_python_makes_of_it_with_its_map_in_16_bits(tmp_path, weights, capsys):
    source, out = photo(tmp_path / "a.png"), tmp_path / "out"
    command = ["deblur", source, "-o", str(out), "--map", "--compare", "--model", weights, "--device", "cpu"]
    assert main([*command, "--precision", "fp32"]) == 0
    written = ["a.png", "a_defocus.png", "a_defocus_preview.png", "a_compare.png"]
    told = capsys.readouterr()
    assert told.out.split() == [str(out / name) for name in written] and len(names(out)) == 4
    assert told.err.count(f"sftdec: the model is {weights}\n") == 1
    image, defocus = Deblurrer.load(weights, device="cpu", precision="fp32")(np.asarray(Image.open(source)))
    assert np.array_equal(np.asarray(Image.open(out / "a.png")), image)
    stored = cv2.imread(str(out / "a_defocus.png"), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16 and np.array_equal(stored, np.rint(defocus * 65535).astype(np.uint16))


def test_the_largest_blur_is_what_the_maps_full_level_stands_for(tmp_path, weights, capsys):
    source, expected = photo(tmp_path / "a.png"), {}
    for largest, sigma_max in ((0, 6.0), (12, 12.0), (24, 24.0)):
        command = ["deblur", source, "-o", str(tmp_path / str(largest)), "--map", "--model", weights, "--device", "cpu"]
        assert main([*command, "--precision", "fp32", "--max-blur", str(largest)]) == 0
        stored = cv2.imread(str(tmp_path / str(largest) / "a_defocus.png"), cv2.IMREAD_UNCHANGED)
        expected[largest] = stored / 65535 * sigma_max
    assert np.abs(expected[12] - expected[0]).max() < 1e-3 and np.abs(expected[24] - expected[0]).max() < 1e-3
    assert main(["deblur", source, "-o", str(tmp_path / "more"), "--model", weights, "--max-blur", "25"]) == 2
    assert "max_blur: found 25, expected px of sigma, 0 (off) to 24" in capsys.readouterr().err


def test_strength_mask_and_only_give_what_python_makes_of_them_with_alpha_and_16_bits(tmp_path, weights, capsys):
    (tmp_path / "deep.tif").write_bytes(deep_tiff(DEEP))
    grey = np.tile(np.linspace(0, 255, DEEP.shape[1]).astype(np.uint8), (DEEP.shape[0], 1))
    Image.fromarray(grey).save(tmp_path / "mask.png")
    base = ["deblur", str(tmp_path / "deep.tif"), "--model", weights, "--device", "cpu", "--precision", "fp32"]
    deblurrer = Deblurrer.load(weights, device="cpu", precision="fp32")
    for name, given, meant in (
        ("none", ["--strength", "0"], {"strength": 0.0}),
        ("some", ["--strength", "0.4", "--mask", str(tmp_path / "mask.png")], {"strength": 0.4, "mask": grey}),
        ("more", ["--strength", "1.5", "--only", "blurred"], {"strength": 1.5, "only": "blurred"}),
    ):
        assert main([*base, *given, "-o", str(tmp_path / name)]) == 0
        found = cv2.imread(str(tmp_path / name / "deep.tif"), cv2.IMREAD_UNCHANGED)[..., [2, 1, 0, 3]]
        assert np.array_equal(found[..., :3], deblurrer(DEEP[..., :3], **meant).image)
        assert np.array_equal(found[..., 3], DEEP[..., 3])
        assert np.array_equal(found, DEEP) == (name == "none")


def test_a_file_that_nothing_of_is_changed_is_copied_unless_another_kind_of_file_is_wished(tmp_path, weights):
    photo(tmp_path / "in" / "a.jpg")
    command = ["deblur", str(tmp_path / "in"), "--model", weights, "--map", "-o", str(tmp_path / "out")]
    before = (tmp_path / "in" / "a.jpg").read_bytes()
    assert main([*command, "--strength", "0"]) == 0 and (tmp_path / "out" / "a.jpg").read_bytes() == before
    assert main([*command, "--strength", "0", "--quality", "30", "--force"]) == 0
    assert len((tmp_path / "out" / "a.jpg").read_bytes()) < len(before)
    assert main([*command, "--force"]) == 0 and (tmp_path / "out" / "a.jpg").read_bytes() != before
    assert names(tmp_path / "out") == ["a.jpg", "a_defocus.png", "a_defocus_preview.png"]


def test_a_photo_in_focus_is_copied_and_told_of_unless_it_is_deblurred_everywhere(tmp_path, capsys):
    network, weights = stirred_network(), str(tmp_path / "weights.safetensors")
    with torch.no_grad():
        network.defocus_map_estimation.last.bias -= 10
    save_weights(network, Path(weights))
    source, out = Path(photo(tmp_path / "a.jpg")), tmp_path / "out"
    command = ["deblur", str(source), "--model", weights, "-o", str(out), "--force"]
    assert main(command) == 0 and (out / "a.jpg").read_bytes() == source.read_bytes()
    assert f"{source}: nothing of it is out of focus by its map" in capsys.readouterr().err
    assert main([*command, "--everywhere"]) == 0 and (out / "a.jpg").read_bytes() != source.read_bytes()
    assert "nothing of it" not in capsys.readouterr().err


def test_a_strength_or_mask_that_makes_no_sense_is_told_and_nothing_is_written(tmp_path, weights, capsys):
    sources, out = [photo(tmp_path / "a.png"), photo(tmp_path / "b.png")], tmp_path / "out"
    command = ["deblur", *sources, "-o", str(out), "--model", weights]
    for given in ("2", "-1", "nan", "much"):
        with pytest.raises(SystemExit, match="2"):
            main([*command, f"--strength={given}"])
        assert f"found {given}, expected 0 to 1.5" in capsys.readouterr().err
    Image.fromarray(np.zeros((40, 30), np.uint8)).save(tmp_path / "black.png")
    for mask, said in (("black.png", "all black"), ("a.png", "in colours"), ("gone.png", "No such file")):
        assert main([*command, "--mask", str(tmp_path / mask)]) == 2 and said in capsys.readouterr().err
    Image.fromarray(np.full((30, 40), 9, np.uint8)).save(tmp_path / "turned.png")
    assert main([*command, "--mask", str(tmp_path / "turned.png")]) == 1
    said = capsys.readouterr().err
    assert all(f"{source}: mask: found (30, 40), expected (40, 30)" in said for source in sources)
    assert not out.exists() or not names(out)


def test_the_maps_colours_and_the_scale_below_it_are_the_same_ones():
    from sftdec.photos.defocus_pictures import coloured, comparison, preview

    ramp = np.tile(np.linspace(0, 1, 400, dtype=np.float32), (60, 1))
    page = np.asarray(preview(ramp, 6.0))
    bar = page[60 + 2 * 16 + 4, 16:416]
    assert np.abs(bar.astype(int) - coloured(ramp)[0]).max() <= 2 and (np.diff(bar.sum(axis=1).astype(int)) >= -2).all()
    before = np.full((1200, 2000, 3), 90, np.uint8)
    after = before.copy()
    after[900:1100, 1500:1900] = 200  # what the framed part is to show
    page = np.asarray(comparison(before, after, np.zeros((1200, 2000), np.float32), 12.0))
    assert (page == 200).all(axis=2).sum() > 400 * 200 and page.shape[1] == 3 * (960 + 16) + 16


def test_8_and_16_bits_alpha_rotation_and_profile_go_through_the_command(tmp_path, capsys):
    tiny_weights(tmp_path / "weights.safetensors")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "deep.tif").write_bytes(deep_tiff(DEEP))
    (tmp_path / "in" / "turned.png").write_bytes(encoded(LEVELS, "PNG", exif=exif(6), icc_profile=bytes(150)))
    command = ["deblur", str(tmp_path / "in"), "-o", str(tmp_path / "out"), "--model", str(tmp_path)]
    command[-1] += "/weights.safetensors"
    command.append("--everywhere")  # else what is in focus is copied
    assert main(command) == 0
    deep = cv2.imread(str(tmp_path / "out" / "deep.tif"), cv2.IMREAD_UNCHANGED)
    assert np.array_equal(deep[..., [2, 1, 0, 3]], DEEP)
    turned = Image.open(tmp_path / "out" / "turned.png")
    assert np.array_equal(np.asarray(turned), np.rot90(LEVELS, -1)) and turned.info["icc_profile"] == bytes(150)
    assert main([*command, "--format", "tiff", "--force"]) == 0
    assert names(tmp_path / "out") == ["deep.tif", "turned.png", "turned.tif"]


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


def test_a_format_without_a_place_for_what_is_kept_becomes_a_png(tmp_path, weights):
    for name in ("a.bmp", "b.JP2", "c.avif"):
        photo(tmp_path / "in" / name)
    assert main(["deblur", str(tmp_path / "in"), "--model", weights, "-o", str(tmp_path / "out")]) == 0
    assert names(tmp_path / "out") == ["a.png", "b.png", "c.avif"]
    assert [Image.open(tmp_path / "out" / name).format for name in names(tmp_path / "out")] == ["PNG", "PNG", "AVIF"]


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


def test_a_bad_photo_is_reported_and_the_rest_go_on(tmp_path, weights, capsys):
    (tmp_path / "bad.png").write_bytes(b"nothing")
    Image.new("RGB", (9, 9)).save(tmp_path / "tiny.png")
    sources = [str(tmp_path / "bad.png"), str(tmp_path / "tiny.png"), photo(tmp_path / "good.png")]
    assert main(["deblur", *sources, "-o", str(tmp_path / "out"), "--model", weights]) == 1
    told, *said = capsys.readouterr().err.splitlines()
    assert told == f"sftdec: the model is {weights}"
    assert [line.startswith(f"sftdec: {source}: ") for line, source in zip(said, sources, strict=False)] == [True] * 2
    assert names(tmp_path / "out") == ["good.png"]
    assert (
        main(["deblur", sources[2], "-o", str(tmp_path / "new"), "--model", weights, "--max-megapixels", "0.001"]) == 1
    )
    assert "0.0012 megapixels, expected 0.001 at most" in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_a_model_that_is_not_there_is_one_sentence(tmp_path, capsys):
    assert main(["deblur", photo(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--model", "none.safetensors"]) == 2
    assert capsys.readouterr().err.startswith("sftdec: none.safetensors: there is no such weights file")


def test_a_file_where_the_results_folder_should_be_is_one_sentence(tmp_path, weights, capsys):
    assert main(["deblur", photo(tmp_path / "a.png"), "-o", weights, "--model", weights]) == 2
    assert capsys.readouterr().err.startswith(f"sftdec: {weights}: found a file, expected a folder")


def test_it_pools_by_windows_where_it_is_told_and_can(tmp_path, capsys):
    source, decomposed, other = photo(tmp_path / "a.png"), tmp_path / "dec.safetensors", tmp_path / "sft.safetensors"
    network = stirred_network()
    for parameter in network.parameters():
        parameter.data += 0.05 * np.random.default_rng(2).standard_normal(parameter.shape).astype(np.float32)
    save_weights(network, decomposed)
    for name, more in (("plain", []), ("all", ["--local-pooling", "40"]), ("local", ["--local-pooling", "16"])):
        command = [
            "deblur",
            source,
            "-o",
            str(tmp_path / name),
            "--model",
            str(decomposed),
            "--precision",
            "fp32",
            *more,
        ]
        assert main(command) == 0
    made = [cv2.imread(str(tmp_path / name / "a.png")).astype(int) for name in ("plain", "all", "local")]
    assert np.abs(made[0] - made[1]).max() <= 1 < np.abs(made[0] - made[2]).max()
    save_weights(build_network(NetworkConfig.of_size("small", modulation="sft", **TINY)), other)
    command = ["deblur", source, "-o", str(tmp_path / "sft"), "--model", str(other), "--local-pooling", "16"]
    assert main(command) == 2 and "no channel part" in capsys.readouterr().err and not (tmp_path / "sft").exists()


@pytest.mark.parametrize("limit", ["nan", "inf", "0", "-3"])
def test_a_limit_that_is_no_number_of_megapixels_is_refused_before_anything(tmp_path, weights, capsys, limit):
    command = ["deblur", photo(tmp_path / "a.png"), "-o", str(tmp_path / "out"), "--model", weights]
    assert main([*command, f"--max-megapixels={limit}"]) == 2
    assert capsys.readouterr().err == f"sftdec: --max-megapixels: found {limit}, expected a number above 0\n"
    assert not (tmp_path / "out").exists()


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


def in_a_process(folder: Path, weights: str, before: str = "") -> "subprocess.CompletedProcess[bytes]":
    """``deblur`` of ``in``, where standard output takes UTF-8 and nothing else."""
    code = f"{before}\nimport sys; from sftdec.cli import main\n"
    code += f"sys.exit(main(['deblur', 'in', '-o', 'out', '--model', {weights!r}, '--device', 'cpu']))"
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=folder, env=environment, check=False)


def told(weights: str) -> bytes:
    """All that is said where nothing goes wrong."""
    return f"sftdec: the model is {weights}\n".encode()


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems have no such names")
def test_a_name_that_is_no_text_is_printed_as_it_lies_and_the_rest_go_on(tmp_path, weights):
    strange = os.fsdecode(b"caf\xe9.png")
    for name in (strange, "caf\u00e9.png", "last.png"):
        photo(tmp_path / "in" / name)
    done = in_a_process(tmp_path, weights)
    assert (done.returncode, done.stderr) == (0, told(weights)) and len(names(tmp_path / "out")) == 3
    assert set(done.stdout.splitlines()) == {b"out/caf\xe9.png", "out/caf\u00e9.png".encode(), b"out/last.png"}


def test_a_closed_pipe_does_not_stop_the_batch(tmp_path, weights):
    for name in ("a.png", "b.png"):
        photo(tmp_path / "in" / name)
    closed = "import os; there, here = os.pipe(); os.close(there); os.dup2(here, {}); os.close(here)"
    done = in_a_process(tmp_path, weights, closed.format(1))
    assert (done.returncode, done.stderr) == (0, told(weights)) and names(tmp_path / "out") == ["a.png", "b.png"]
    (tmp_path / "in" / "0.png").write_bytes(b"nothing")
    for file in (tmp_path / "out").iterdir():
        file.unlink()
    assert in_a_process(tmp_path, weights, closed.format(2)).returncode == 1
    assert names(tmp_path / "out") == ["a.png", "b.png"]


def test_names_as_long_as_the_file_system_takes_are_written(tmp_path, weights):
    sources = [photo(tmp_path / f"{stem}.png") for stem in ("n" * 251, "\u00e4" * 125, "n" * 239)]
    assert main(["deblur", *sources, "-o", str(tmp_path / "out"), "--model", weights]) == 0
    assert names(tmp_path / "out") == sorted(Path(source).name for source in sources)
    assert _temporary_name("a.png") == f".a.png.{os.getpid()}.part"
    first, second = (_temporary_name("n" * 250 + ending) for ending in (".png", ".jpg"))
    assert first != second and len(first) <= 255 and first.endswith(f".{os.getpid()}.part")


@pytest.mark.slow
def test_ctrl_c_leaves_no_half_file_and_says_one_sentence(tmp_path, weights):
    for number in range(300):
        photo(tmp_path / "in" / f"{number:03d}.png", number)
    command = [sys.executable, "-m", "sftdec.cli", "deblur", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    started = subprocess.Popen(
        [*command, "--map", "--model", weights],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )
    while not (tmp_path / "out" / "000.png").exists() and started.poll() is None:
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=120)
    assert started.returncode == 130, said
    model, sentence = said.splitlines()
    assert model.startswith("sftdec: the model is ") and sentence.startswith("sftdec: stopped; ")
    found = list((tmp_path / "out").iterdir())
    assert 3 <= len(found) < 900 and not [path for path in found if path.name.startswith(".")]
    for path in found:
        Image.open(path).load()


@pytest.mark.slow
def test_broken_photos_are_refused_by_name_without_noise_and_leave_nothing(tmp_path):
    counts = fuzz(tmp_path, 60, seed=1)
    assert counts.verdicts["refused"] > 20 and not any(counts.faults.values()), counts.text()


def imported(*arguments: str) -> tuple[set[str], str]:
    """The modules that a command has imported at its end, and what it printed."""
    code = "import sys, atexit; atexit.register(lambda: print('\\n@', *sys.modules)); import sftdec.cli as c\n"
    code += f"sys.exit(c.main({list(arguments)}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, _, modules = done.stdout.rpartition("@")
    return set(modules.split()), said


def test_help_imports_nothing_that_takes_time():
    modules, said = imported("--help")
    assert "deblur" in said and "datasets" in said
    assert not modules & {"torch", "numpy", "pandas", "mlflow", "PIL", "cv2", "tqdm", "sftdec.networks"}


def test_deblurring_with_a_file_imports_neither_mlflow_nor_what_training_needs(tmp_path, weights):
    modules, said = imported("deblur", photo(tmp_path / "a.jpg"), "-o", str(tmp_path / "out"), "--model", weights)
    assert said.strip() == str(tmp_path / "out" / "a.jpg") and "torch" in modules
    heavy = {"mlflow", "prefect", "pandas", "albumentations", "sklearn", "skimage", "scipy", "matplotlib", "dvc"}
    assert not modules & heavy


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


def test_a_damaged_exif_block_is_the_fault_of_its_photo_alone(tmp_path, weights, capsys):
    levels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    for name, damaged in (("a", True), ("b", False)):
        (file := tmp_path / f"{name}.jpg").write_bytes(encoded(levels, "JPEG", exif=exif()))
        if damaged:
            file.write_bytes(file.read_bytes().replace(b"Exif\0\0", b"Exif\0\0\xff", 1))
    out = ["-o", str(tmp_path / "out"), "--format", "avif", "--model", weights, "--device", "cpu"]
    main(["deblur", str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg"), *out])
    assert "b.avif" in names(tmp_path / "out") and "Traceback" not in capsys.readouterr().err


def test_results_may_go_into_the_photos_folder_or_one_above_it(tmp_path, weights, monkeypatch):
    photo(tmp_path / "holiday/day/a.png")
    monkeypatch.chdir(tmp_path)
    common = ["--model", weights, "--device", "cpu"]
    assert main(["deblur", "holiday/day", "-o", ".", *common]) == 0 and (tmp_path / "a.png").is_file()
    assert main(["deblur", "holiday/day", "-o", "holiday", *common]) == 0 and (tmp_path / "holiday/a.png").is_file()


def test_an_empty_name_is_no_folder(tmp_path, weights, capsys):
    assert main(["deblur", "", "-o", str(tmp_path), "--model", weights]) == 2
    assert "found an empty name among the photos" in capsys.readouterr().err


@pytest.mark.parametrize("more", [[], ["--everywhere"]])
def test_weights_that_have_diverged_are_refused(tmp_path, capsys, more):
    network = stirred_network()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.fill_(torch.nan)
    save_weights(network, tmp_path / "nan.safetensors")
    source = photo(tmp_path / "a.png")
    assert (
        main(["deblur", source, "-o", str(tmp_path / "out"), "--model", str(tmp_path / "nan.safetensors"), *more]) == 1
    )
    assert "its weights have diverged" in capsys.readouterr().err and not (tmp_path / "out/a.png").exists()


@pytest.mark.parametrize("command", [["datasets"], ["deblur", "--help"]])
def test_an_encoding_without_our_letters_stops_nothing(command):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "sftdec.cli", *command], env=environment, capture_output=True)
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr


def test_ctrl_c_ends_any_command_in_a_word(monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sftdec.cli.needs_extra", lambda *_, **__: stop(None))
    assert main(["datasets"]) == 130 and capsys.readouterr().err == "sftdec: stopped\n"

"""The command ``deblur``, on real (untrained) networks."""

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
from tests.commands.pictures import names, photo
from tests.photos.written import DEEP, LEVELS, deep_tiff, encoded, exif
from tests.tiny import TINY, stirred_network, tiny_weights


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


@pytest.mark.slow
def test_broken_photos_are_refused_by_name_without_noise_and_leave_nothing(tmp_path):
    counts = fuzz(tmp_path, 60, seed=1)
    assert counts.verdicts["refused"] > 20 and not any(counts.faults.values()), counts.text()


def test_a_damaged_exif_block_is_the_fault_of_its_photo_alone(tmp_path, weights, capsys):
    levels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    for name, damaged in (("a", True), ("b", False)):
        (file := tmp_path / f"{name}.jpg").write_bytes(encoded(levels, "JPEG", exif=exif()))
        if damaged:
            file.write_bytes(file.read_bytes().replace(b"Exif\0\0", b"Exif\0\0\xff", 1))
    out = ["-o", str(tmp_path / "out"), "--format", "avif", "--model", weights, "--device", "cpu"]
    main(["deblur", str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg"), *out])
    assert "b.avif" in names(tmp_path / "out") and "Traceback" not in capsys.readouterr().err


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

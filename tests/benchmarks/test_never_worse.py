"""The benchmarks never_worse, pairs, blend and heavy_blur, shortened: the shipped network, and one without effect."""

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from sftdec.datasets.photos import recipe_photo
from sftdec.datasets.scene import write_index, write_scene
from sftdec.networks import build_network, save_weights
from sftdec.optics import to_8bit
from sftdec.params import load_params
from sftdec.photos import png_bytes
from tests.evaluation.scenes import make_scene

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    """Weights of a fresh network, which returns its input."""
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(build_network(load_params(ROOT / "params.yaml").network, 0), path)
    return path


def run(name, *options):
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *map(str, options)], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in done.stdout.splitlines()]


def test_a_network_that_changes_nothing_gains_and_loses_nothing_and_the_shipped_one_gains_on_light_blur(untrained):
    short = ("--count", 1, "--side", 64, "--noise", 0, 3, "--jpeg", "none", "--sharpen", 0, 1)
    rows = run("never_worse", untrained, *short)
    table = {tuple(row[:4]): row[4:] for row in rows if row[0] in ("in focus", "σ 1")}
    assert len(table) == 8 and rows[2][4:] == ["shipped", "untrained"]
    for row, (_, nothing) in table.items():
        plain = row[:2] == ("in focus", "0")
        assert nothing == ("inf dB, inf" if plain else "+0.00, +0.00")
    assert float(table["σ 1", "0", "none", "0"][0].split(",")[0]) > 0.5


def test_the_tool_is_measured_on_pairs_beside_the_network_alone(untrained, tmp_path):
    sharp = recipe_photo("chelsea")[60:140, 120:200]
    for part in ("input", "ground_truth"):
        (tmp_path / part).mkdir()
    for name, sigma in (("a", 1.0), ("b", 1.5)):
        blurred = to_8bit(ndimage.gaussian_filter(sharp / 255, sigma, axes=(0, 1)))
        (tmp_path / "input" / f"{name}.png").write_bytes(png_bytes(blurred))
        (tmp_path / "ground_truth" / f"{name}.png").write_bytes(png_bytes(sharp))
    head, _, *rows = run("pairs", tmp_path, untrained, "--alone")
    assert head[2:] == ["shipped", "shipped, alone", "untrained", "untrained, alone"]
    gains = {row[0]: [float(each) for each in row[2:]] for row in rows}
    assert [name.split("/")[-1] for name in gains] == ["a", "b", "**mean**", "**worst**"]
    for mean, worst, first, second in zip(
        gains["**mean**"], gains["**worst**"], *list(gains.values())[:2], strict=True
    ):
        assert mean == pytest.approx((first + second) / 2, abs=0.006) and worst == min(first, second)
    assert min(gains["**worst**"][:2]) > 0.5 and gains["**mean**"][2:] == [0, 0]


def test_of_fetched_scenes_the_tests_are_measured(untrained, tmp_path):
    scenes = [replace(make_scene(f"sample/{split}_0", 40, 48), split=split) for split in ("train", "test")]
    write_index(tmp_path, [write_scene(tmp_path, scene) for scene in scenes])
    _, _, *rows = run("pairs", tmp_path, untrained)
    assert [row[0] for row in rows] == ["sample/test_0", "**mean**", "**worst**"] and rows[0][3] == "+0.00"


def test_of_a_pair_what_each_picture_has_in_focus_and_out_of_it_is_measured_apart(untrained, tmp_path):
    """Each is blurred in the half that the other has in focus; a network that changes nothing is the photo itself."""
    sharp = recipe_photo("chelsea")[60:156, 120:248]
    blurred = to_8bit(ndimage.gaussian_filter(sharp / 255, 2.0, axes=(0, 1)))
    left = np.arange(sharp.shape[1])[:, None] < sharp.shape[1] // 2
    pictures = {"input/a_A": np.where(left, sharp, blurred), "input/a_B": np.where(left, blurred, sharp)}
    for name, picture in (pictures | {"ground_truth/a": sharp}).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.png").write_bytes(png_bytes(picture))
    told = {}
    for model in ("builtin", untrained):
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.blend", str(tmp_path), "--model", str(model), "--strengths", "1"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        there, here = done.stdout.splitlines()[-2:]
        told[model] = (*map(float, re.findall(r"[+-][0-9.]+", there)), float(re.findall(r"[0-9.]+|inf", here)[0]))
    mean, worst, kept = told["builtin"]
    assert mean >= worst > 0.5 and kept > 40
    assert told[untrained] == (0, 0, told[untrained][2]) and told[untrained][2] > kept


def test_a_photo_and_its_reference_differ_by_what_a_camera_and_a_lens_did_alone():
    rows = run("never_worse", "--count", 1, "--side", 48, "--noise", 0, "--jpeg", "none", 60, "--sharpen", 0)
    kinds = {tuple(row[:3]): "dB" in row[4] for row in rows if row[0] in ("in focus", "σ 1")}
    assert kinds == {
        ("in focus", "0", "none"): True,  # nothing: the result against the photo
        ("in focus", "0", "60"): False,
        ("σ 1", "0", "none"): False,
        ("σ 1", "0", "60"): False,
    }


def test_heavier_blur_reads_higher_and_a_network_that_changes_nothing_leaves_bokeh_smooth(untrained):
    rows = run("heavy_blur", untrained, "--count", 1, "--side", 96, "--sigmas", 1, 4)
    shipped = [[float(cell.split()[0]) for cell in row[3:]] for row in rows if row[0] == "shipped"]
    assert len(shipped) == 4 and all(light < heavy for light, heavy in shipped)
    assert rows[-1][3].endswith("(× 1.00)")


def test_a_folder_without_a_picture_is_named(tmp_path):
    done = subprocess.run(
        [sys.executable, "benchmarks/never_worse.py", "--photos", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0 and f"{tmp_path}: found no picture; expected" in done.stderr

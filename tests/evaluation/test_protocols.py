"""The protocols of papers, each beside what its public script computes, written out here."""

import math
import sys

import cv2
import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sftdec.datasets import Entry
from sftdec.evaluation import protocols
from sftdec.evaluation.protocols import PROTOCOLS, measure_pair
from sftdec.runtime import DataError


@pytest.fixture
def pair(tmp_path):
    """A blurred and a sharp PNG of 16 bits, 45×61 px."""
    random = np.random.default_rng(3)
    coarse = cv2.resize(
        random.integers(0, 65536, (9, 12, 3)).astype(np.uint16), (61, 45), interpolation=cv2.INTER_CUBIC
    )
    cv2.imwrite(str(tmp_path / "sharp.png"), coarse)
    cv2.imwrite(str(tmp_path / "blurred.png"), cv2.GaussianBlur(coarse, (0, 0), 2))
    return Entry("one", "one", "test", tmp_path / "blurred.png", tmp_path / "sharp.png")


def restore(blurred):
    return np.clip(1.1 * blurred - 0.05, 0, 1).astype(np.float32)


def mae_by_channels(first, second):
    return np.mean([np.mean(np.abs(first[..., each] - second[..., each])) for each in range(3)])


def frame(path, bits):
    """IFAN's and DRBNet's way to read, and with OpenCV's 8 bits Restormer's."""
    if bits == 16:
        return cv2.imread(str(path), -1)[..., ::-1] / 65535
    return cv2.cvtColor(cv2.imread(str(path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB) / 255


@pytest.mark.parametrize(
    ("name", "bits", "multiple"), [("dpdd", 16, 1), ("dpdd8", 8, 1), ("realdof", 8, 8), ("lfdof", 8, 16)]
)
def test_each_protocol_gives_the_figures_of_its_script(pair, name, bits, multiple):
    found = measure_pair(PROTOCOLS[name], pair, restore)
    height, width = 45 - 45 % multiple, 61 - 61 % multiple
    blurred, sharp = (frame(path, bits)[:height, :width] for path in (pair.blurred, pair.sharp))
    made = restore(blurred.astype(np.float32)).astype(np.float64)
    assert found["psnr"] == pytest.approx(10 * math.log10(1 / np.mean((made - sharp) ** 2)), abs=1e-4)
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(sharp, made, data_range=1.0), abs=1e-4)
    assert found["ssim"] == pytest.approx(structural_similarity(made, sharp, data_range=1.0, channel_axis=2), abs=1e-6)
    assert found["image_mae"] == pytest.approx(mae_by_channels(made, sharp), abs=1e-6)
    assert found["psnr_blurred"] == pytest.approx(peak_signal_noise_ratio(sharp, blurred, data_range=1.0), abs=1e-4)


def test_protocols_differ_and_ours_is_the_one_of_the_evaluation(pair):
    found = {name: measure_pair(protocol, pair, restore) for name, protocol in PROTOCOLS.items()}
    assert len({row["ssim"] for row in found.values()}) == len(PROTOCOLS)
    from sftdec.evaluation import psnr, ssim, to_uint8

    blurred, sharp = (
        (cv2.imread(str(path), -1)[..., ::-1] >> 8).astype(np.uint8) for path in (pair.blurred, pair.sharp)
    )
    made = to_uint8(restore(blurred / np.float32(255)))
    assert (found["sftdec"]["psnr"], found["sftdec"]["ssim"]) == (psnr(made, sharp), ssim(made, sharp))


def test_a_pair_of_two_sizes_a_missing_half_and_a_picture_twice_are_refused(pair, tmp_path):
    cv2.imwrite(str(tmp_path / "small.png"), np.zeros((20, 20, 3), np.uint8))
    for sharp, said in (
        (tmp_path / "small.png", "one size"),
        (None, "no sharp photo"),
        (pair.blurred, "its own sharp photo"),
    ):
        with pytest.raises(DataError, match=said):
            measure_pair(PROTOCOLS["dpdd"], Entry("one", "one", "test", pair.blurred, sharp), restore)


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """A folder of packages; what is made of them is forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    protocols._perceptual.cache_clear()
    yield tmp_path
    protocols._perceptual.cache_clear()
    for name in ("lpips", "DISTS_pytorch"):
        sys.modules.pop(name, None)


def test_a_package_of_a_perceptual_measure_is_asked_with_pictures_of_its_range(packages, pair):
    (packages / "lpips.py").write_text(
        "class LPIPS:\n    def __init__(self, net, verbose):\n        assert net == 'alex'\n"
        "    def __call__(self, first, second, normalize):\n"
        "        assert normalize and first.shape == second.shape == (1, 3, 45, 61) and 0 <= first.min() <= 1\n"
        "        return (first - second).abs().mean()\n"
    )
    (packages / "DISTS_pytorch.py").write_text(
        "class DISTS:\n    def __call__(self, first, second):\n        return second.mean()\n"
    )
    row = measure_pair(PROTOCOLS["dpdd"], pair, restore)
    assert row["lpips"] == pytest.approx(row["image_mae"], rel=1e-4) and 0 < row["dists"] < 1


def test_a_package_that_can_t_be_used_is_named(packages, pair):
    (packages / "lpips.py").write_text("raise RuntimeError('operator torchvision::nms does not exist')\n")
    with pytest.raises(DataError, match=r"lpips is installed and can't be used \(operator torchvision::nms"):
        measure_pair(PROTOCOLS["dpdd"], pair, restore)

"""Deblurring from Python."""

import json
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch

from sftdec import Deblurrer
from sftdec.builtin import builtin_weights
from sftdec.inference.deblur import deblur_array
from sftdec.inference.runtimes import TorchRuntime
from sftdec.networks import WeightsError, load_weights, save_weights
from sftdec.photos.errors import PhotoError
from sftdec.registry.names import CHAMPION, find_weights
from sftdec.runtime.devices import has_bf16
from tests.inference.stirred import stirred_network


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "stirred.safetensors"
    save_weights(stirred_network(), path)
    return path


def load(weights, **options):
    return Deblurrer.load(weights, **({"device": "cpu", "precision": "fp32", "tile": 24, "max_blur": 0} | options))


def picture(seed=0, height=47, width=66):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.mark.parametrize(
    "image", [picture(), picture().astype(np.uint16) * 257, (picture() / 255).astype(np.float32), picture() / 255]
)
def test_a_picture_comes_back_in_its_own_type_with_its_map(weights, image):
    result = load(weights)(image)
    levels = {np.dtype(np.uint8): 255, np.dtype(np.uint16): 65535}.get(image.dtype, 1)
    kept = image.dtype if levels > 1 else np.float32
    assert result.image.dtype == kept and result.defocus.dtype == np.float32
    assert result.image.shape == image.shape and result.defocus.shape == image.shape[:2]
    expected, expected_map = deblur_array(load_weights(weights), image)
    assert np.abs(result.image / levels - expected).max() <= (0.5 / levels if levels > 1 else 0) + 2e-6
    assert np.abs(result.defocus - expected_map).max() <= 2e-6 and result.defocus.std() > 0.1
    assert result.defocus.min() >= 0 and result.defocus.max() <= 1


def test_a_view_gives_what_its_copy_gives_and_stays_as_it_is(weights):
    deblurrer, image = load(weights), picture()
    view = image[::-1].transpose(1, 0, 2)
    kept = view.copy()
    assert np.array_equal(deblurrer(view).image, deblurrer(kept).image) and np.array_equal(view, kept)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((20, 20), np.uint8), "H×W×3"),
        (np.zeros((8, 20, 3), np.uint8), "16 px"),
        (np.zeros((20, 20, 3), np.int64), "int64"),
        (np.zeros((20, 20, 3), bool), "bool"),
        (np.full((20, 20, 3), np.nan), "NaN"),
    ],
)
def test_what_is_no_picture_is_refused(weights, image, message):
    with pytest.raises(PhotoError, match=message):
        load(weights)(image)


def test_four_threads_get_what_each_would_get_alone(weights):
    deblurrer, pictures = load(weights), [picture(seed, 40 + seed, 61 - seed) for seed in range(8)]
    alone = [deblurrer(each) for each in pictures]
    found, ready = {}, threading.Barrier(4)

    def work(first):
        ready.wait()
        for number in range(first, 8, 4):
            found[number] = deblurrer(pictures[number])

    threads = [threading.Thread(target=work, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number, expected in enumerate(alone):
        assert np.array_equal(found[number].image, expected.image)
        assert np.array_equal(found[number].defocus, expected.defocus)


def test_a_call_that_is_broken_off_leaves_the_deblurrer_usable(weights):
    deblurrer = load(weights)

    def stop(done, of):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deblurrer(picture(), stop)
    assert deblurrer(picture()).image.shape == picture().shape


def test_local_pooling_is_what_the_network_does_with_it(weights):
    network = load_weights(weights)
    network.set_local_pooling(20)
    expected, _ = deblur_array(network, picture())
    assert np.abs(load(weights, local_pooling=20)(picture() / 255).image - expected).max() <= 2e-6
    assert np.abs(load(weights)(picture() / 255).image - expected).max() > 1e-4


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_automatic_precision_is_what_the_hardware_computes(weights, precision, monkeypatch):
    if precision == "bf16" and not has_bf16(torch.device("cpu")):
        pytest.skip("needs a CPU that computes bf16")
    monkeypatch.setattr("sftdec.inference.engine.has_bf16", lambda device: precision == "bf16")
    automatic, same, exact = (load(weights, precision=each) for each in ("auto", precision, "fp32"))
    assert np.array_equal(automatic(picture()).defocus, same(picture()).defocus)
    if precision == "bf16":
        difference = np.abs(automatic(picture()).defocus - exact(picture()).defocus)
        assert difference.max() > 0 and difference.mean() < 0.01


def test_more_than_8_bits_are_computed_in_fp32_unless_another_precision_is_asked_for(weights):
    if not has_bf16(torch.device("cpu")):
        pytest.skip("needs a CPU that computes bf16")
    deep = np.random.default_rng(0).integers(0, 65536, (40, 48, 3), np.uint16)
    automatic, exact, coarse = (load(weights, precision=each) for each in ("auto", "fp32", "bf16"))
    for image in (deep, deep / 65535):
        assert np.array_equal(automatic(image).image, exact(image).image)
        assert not np.array_equal(automatic(image).image, coarse(image).image)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tile": 0}, "tile: found 0"),
        ({"memory": 0.0}, "memory: found 0"),
        ({"precision": "fp8"}, "fp8.*auto, bf16 or fp32"),
        ({"runtime": "abacus"}, "abacus.*torch"),
        ({"device": "cuda:99"}, "cuda:99"),
        ({"local_pooling": 1}, "1 px"),
        ({"max_blur": -1}, "max_blur: found -1, expected px of sigma, 0 .off. to 24"),
        ({"max_blur": 25.0}, "max_blur: found 25"),
        ({"max_blur": float("nan")}, "max_blur: found nan"),
    ],
)
def test_options_that_make_no_sense_are_named(weights, options, message):
    with pytest.raises(ValueError, match=message):
        load(weights, **options)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(WeightsError, match=r"none\.safetensors: there is no such weights file"):
        load(tmp_path / "none.safetensors")


def test_without_a_registry_the_model_that_ships_is_taken(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert find_weights() == find_weights("builtin") == builtin_weights()
    assert find_weights("some.safetensors").name == "some.safetensors"
    with pytest.raises(ValueError, match="no registry"):
        find_weights(CHAMPION)


def test_loading_from_a_file_imports_nothing_that_training_and_tracking_need(weights):
    code = (
        "import json, sys; import sftdec; cheap = 'torch' not in sys.modules; "
        "from sftdec import Deblurrer; Deblurrer.load(sys.argv[1]); "
        "heavy = ('mlflow', 'prefect', 'pandas', 'albumentations', 'cv2', 'scipy', 'sklearn', 'matplotlib'); "
        "print(json.dumps([cheap, [name for name in heavy if name in sys.modules]]))"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(weights)], capture_output=True, text=True, check=True)
    assert json.loads(ran.stdout) == [True, []]


def test_a_runtime_computes_one_tile_at_a_time(weights):
    busy, overlaps = threading.Lock(), []

    class Watched(TorchRuntime):
        def deblur(self, blurred, guide, mean):
            overlaps.append(not busy.acquire(blocking=False))
            try:
                return super().deblur(blurred, guide, mean)
            finally:
                busy.release()

    deblurrer = Deblurrer(Watched(load_weights(weights), torch.device("cpu"), "fp32"), tile=16)
    threads = [threading.Thread(target=deblurrer, args=(picture(seed),)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(overlaps) == 3 * 15 and not any(overlaps)


def test_floats_of_0_to_255_are_refused(weights):
    deblurrer = load(weights)
    photo = np.random.default_rng(0).uniform(0, 255, (32, 32, 3))
    with pytest.raises(PhotoError, match=r"floats up to 25\d\.?\d*, expected 0 \(black\) to 1 \(white\); divide"):
        deblurrer(photo)
    deblurrer(photo / 250)  # highlights may be a little above

"""How much of a result is taken, and where."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from sftdec.inference.blending import ONLY, STRONGEST, Blend, Composition, in_front
from sftdec.inference.engine import Engine
from sftdec.inference.runtimes import TorchRuntime
from sftdec.photos.errors import PhotoError
from tests.inference.stirred import stirred_network

RNG = np.random.default_rng(0)
EIGHT = RNG.integers(0, 256, (47, 66, 3), np.uint8)
DEEP = RNG.integers(0, 65536, (47, 66, 3), np.uint16)
HALF = np.zeros((47, 66), np.uint8)
HALF[:, 33:] = 255


def engine(tile: int = 24) -> Engine:
    return Engine(TorchRuntime(stirred_network(sigma_max=6.0), torch.device("cpu"), "fp32"), tile=tile)


@pytest.mark.parametrize("image", [EIGHT, DEEP, EIGHT / np.float32(255) * 1.2 - 0.1], ids=["8", "16", "float"])
def test_of_strength_0_the_photo_stays_to_the_bit_and_the_map_is_what_it_is(image):
    found, whole = engine()(image, strength=0), engine()(image)
    assert np.array_equal(found.image, image) and found.image.dtype == image.dtype
    assert np.array_equal(found.defocus, whole.defocus) and not np.array_equal(whole.image, image)


def test_strength_1_and_an_all_white_mask_are_what_is_made_without_them():
    for image in (EIGHT, DEEP):
        expected = engine()(image).image
        for mask in (None, np.full((47, 66), 255, np.uint8), np.ones((47, 66), bool), np.ones((47, 66))):
            assert np.array_equal(engine()(image, strength=1, mask=mask).image, expected)


def test_what_the_map_says_is_in_focus_stays_to_the_bit_unless_the_result_is_wanted_everywhere():
    defocus = np.zeros(EIGHT.shape[:2], np.float32)
    defocus[:, 33:] = 1 / 6  # px of sigma, of 6
    rows, everything, made = slice(0, 47), slice(0, 66), 1 - EIGHT / np.float32(255)
    for everywhere in (False, True):
        composition = Composition(EIGHT, Blend(), 6.0, everywhere)
        wanted = composition.choose(defocus)
        assert wanted(rows, everything) and wanted(rows, slice(0, 24)) == everywhere
        composition.write(rows, everything, made)
        kept = composition.result == EIGHT
        assert kept[:, :24].all() != everywhere and np.array_equal(composition.result[:, 42:], 255 - EIGHT[:, 42:])
    between = Composition(EIGHT, Blend(), 6.0)
    between.choose(np.full(EIGHT.shape[:2], 0.525 / 6, np.float32))
    between.write(rows, everything, made)
    assert np.abs(between.result.astype(float) - 127.5).max() <= 1


@settings(max_examples=20, deadline=None)
@given(strength=st.floats(0, STRONGEST), tile=st.integers(9, 80))
def test_each_level_lies_between_photo_and_result_in_proportion_whatever_the_tiles(strength, tile):
    for image, levels in ((EIGHT, 255), (DEEP, 65535)):
        result = engine()(image / levels).image.astype(np.float64)  # 0..1, before it is rounded
        expected = np.clip((1 - strength) * (image / levels) + strength * result, 0, 1) * levels
        found = engine(tile)(image, strength=strength).image
        assert np.abs(found - expected).max() <= 0.5 + 4e-6 * levels


def test_where_a_mask_is_black_the_photo_stays_and_no_tile_is_computed_for_it():
    computed = []

    class Watched(TorchRuntime):
        def deblur(self, blurred, guide, mean):
            computed.append(blurred.shape)
            return super().deblur(blurred, guide, mean)

    watched = Engine(Watched(stirred_network(), torch.device("cpu"), "fp32"), tile=12)
    whole = watched(DEEP).image
    all_tiles, told = len(computed), []
    masked = watched(DEEP, lambda done, of: told.append((done, of)), mask=HALF).image
    assert np.array_equal(masked[:, :33], DEEP[:, :33]) and np.array_equal(masked[:, 33:], whole[:, 33:])
    assert len(computed) - all_tiles <= 0.7 * all_tiles and told[-1][0] == told[-1][1]
    computed.clear()
    assert np.array_equal(watched(DEEP, strength=0).image, DEEP) and not computed


def test_a_masks_levels_are_shares_in_8_and_16_bits_and_as_floats():
    grey = RNG.integers(0, 256, (47, 66), np.uint8)
    found = [engine()(DEEP, mask=each).image for each in (grey, grey.astype(np.uint16) * 257, grey / np.float32(255))]
    assert np.abs(found[0].astype(int) - found[1]).max() <= 1 and np.abs(found[0].astype(int) - found[2]).max() <= 1
    assert np.array_equal(found[0][grey == 0], DEEP[grey == 0])
    assert np.array_equal(engine()(DEEP, strength=0.5, mask=np.full((47, 66), 255, np.uint8)).image,
                          engine()(DEEP, strength=0.5).image)  # fmt: skip


def focus_pull(height: int = 120, width: int = 90) -> np.ndarray:
    """A map in 0..1 of 6 px: in focus in a band across the middle, more and more blurred above and below it."""
    rows = np.abs(np.arange(height) - height / 2) / (height / 2)
    return np.repeat(np.clip(rows * 1.2 - 0.2, 0, 1)[:, None] * 0.6, width, axis=1).astype(np.float32)


def weigh(defocus: np.ndarray, only: str) -> np.ndarray:
    return Blend(only=only).weights(defocus, 6.0)(slice(0, defocus.shape[0]), slice(0, defocus.shape[1]))


def test_blurred_is_where_the_map_says_so_and_its_two_sides_make_it_up():
    defocus = focus_pull()
    blurred, front, back = (weigh(defocus, only) for only in ("blurred", "foreground", "background"))
    assert (blurred[defocus * 6 <= 0.7] == 0).all() and (blurred[defocus * 6 >= 1.3] == 1).all()
    assert np.allclose(front + back, blurred, atol=1e-6)
    assert (front[:60] == 0).all() and (front[90:] == 1).all()  # lower is in front
    assert (back[:30] == 1).all() and (back[60:] == 0).all()
    pieces = [
        Blend(only="foreground").weights(defocus, 6.0)(slice(a, b), slice(7, 31)) for a, b in ((0, 71), (71, 120))
    ]
    assert np.allclose(np.concatenate(pieces), front[:, 7:31], atol=1e-6)  # whatever the part


def test_the_grain_of_a_map_is_not_seen_where_the_result_begins():
    generator = np.random.default_rng(0)
    even = np.full((64, 64), 1 / 6, np.float32)  # halfway between in focus and blurred
    grainy = even + generator.normal(0, 0.3 / 6, even.shape).astype(np.float32)
    assert weigh(even, "blurred") == pytest.approx(0.5, abs=1e-5)
    assert weigh(grainy, "blurred").std() < 0.15 < np.clip((grainy * 6 - 0.75) / 0.5, 0, 1).std()


def test_what_surrounds_the_focus_is_behind_it_and_what_is_sharp_stays():
    defocus = np.full((100, 100), 0.5, np.float32)
    defocus[40:, 30:70] = 0  # somebody who stands there, to the lower edge
    assert (weigh(defocus, "foreground") == 0).all()
    assert (weigh(defocus, "background") == weigh(defocus, "blurred")).all()
    sharp = np.zeros((50, 40), np.float32)
    assert all((weigh(sharp, only) == 0).all() for only in ONLY)


def test_front_and_back_need_something_in_focus_and_every_choice_a_map():
    with pytest.raises(PhotoError, match=r"only background: found nothing in focus.*blurred, or a mask"):
        weigh(np.ones((40, 40), np.float32), "background")
    assert (weigh(np.ones((40, 40), np.float32), "blurred") == 1).all()
    for only in ONLY:
        with pytest.raises(PhotoError, match=f"only {only}: the model gives no defocus map"):
            weigh(np.full((40, 40), np.nan, np.float32), only)
    assert in_front(focus_pull(1200, 900), 6.0).shape == (256, 192)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"strength": -0.1}, "strength: found -0.1, expected 0 to 1.5"),
        ({"strength": 1.6}, "strength: found 1.6, expected 0 to 1.5"),
        ({"strength": float("nan")}, "strength: found nan"),
        ({"strength": "much"}, "strength: found 'much', expected a number"),
        ({"strength": True}, "strength: found True"),
        ({"strength": None}, "strength: found None"),
        ({"only": "subject"}, "only: found 'subject', expected background, foreground, blurred"),
        ({"mask": HALF[:, 1:]}, r"mask: found \(47, 65\), expected \(47, 66\)"),
        ({"mask": HALF[..., None]}, r"mask: found \(47, 66, 1\)"),
        ({"mask": "mask.png"}, "mask: found str"),
        ({"mask": HALF * 0}, "mask: found nothing but 0"),
        ({"mask": HALF.astype(np.int64)}, "mask: found values of type int64"),
        ({"mask": HALF.astype(float)}, "mask: found values from 0 to 255"),
        ({"mask": np.full((47, 66), np.nan)}, "mask: found values from nan"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_computed(given, said):
    with pytest.raises(PhotoError, match=said):
        engine()(EIGHT, lambda done, of: pytest.fail("computed"), **given)

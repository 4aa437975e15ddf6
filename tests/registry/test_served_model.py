import base64
import hashlib
import io
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from mlflow.exceptions import MlflowException
from PIL import Image

from sftdec.deblurrer import Deblurrer
from sftdec.networks import build_network, load_weights, save_weights
from sftdec.params.network import NetworkConfig
from sftdec.photos import Encoding, Photo, decode, encode_photo
from sftdec.registry.served_model import DefocusDeblurring, decode_photo, encode_png
from tests.tiny import stirred_network

PHOTO = np.random.default_rng(0).integers(0, 256, (32, 40, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "s3.safetensors"
    save_weights(build_network(NetworkConfig.of_size("small", sigma_max=4.5)), path)
    return path


@pytest.fixture(scope="module")
def model(weights: Path) -> DefocusDeblurring:
    return served(weights, {"precision": "fp32", "max_megapixels": 0.01})


def served(weights: Path, config: dict[str, object] | None) -> DefocusDeblurring:
    loaded = DefocusDeblurring()
    loaded.load_context(SimpleNamespace(artifacts={"weights": str(weights)}, model_config=config))  # type: ignore[arg-type]
    return loaded


def encoded(image: Image.Image, kind: str, **options: object) -> str:
    buffer = io.BytesIO()
    image.save(buffer, format=kind, **options)  # type: ignore[arg-type]
    return base64.b64encode(buffer.getvalue()).decode()


def decoded(text: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))


def refusal(text: object, limit: float = 25.0) -> str:
    with pytest.raises(MlflowException) as caught:
        decode_photo(text, 0, limit)
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert caught.value.get_http_status_code() == 400
    return str(caught.value)


def test_a_photo_comes_back_deblurred_with_its_map_and_the_maps_unit(model: DefocusDeblurring) -> None:
    table = pd.DataFrame({"image": [encode_png(PHOTO), encode_png(PHOTO[:, :24])]})
    answer = model.predict(None, table)  # type: ignore[arg-type]
    assert list(answer.columns) == ["deblurred", "defocus", "sigma_max"]
    assert list(answer["sigma_max"]) == [18, 18]
    for row, width in ((0, 40), (1, 24)):
        image, defocus = decoded(answer["deblurred"][row]), decoded(answer["defocus"][row])
        assert (image.shape, image.dtype) == ((32, width, 3), np.uint8)
        assert (defocus.shape, defocus.dtype) == ((32, width), np.uint16)


def test_the_answer_is_the_networks_own_output(model: DefocusDeblurring, weights: Path) -> None:
    answer = model.predict(None, pd.DataFrame({"image": [encode_png(PHOTO)]})).iloc[0]  # type: ignore[arg-type]
    blurred = torch.from_numpy(PHOTO / np.float32(255)).permute(2, 0, 1)[None]
    with torch.inference_mode():
        expected = load_weights(weights)(blurred)
    image = expected.deblurred[0].permute(1, 2, 0).clamp(0, 1).numpy()
    defocus = expected.defocus[0, 0].clamp(0, 1).numpy()
    assert np.abs(decoded(answer["deblurred"]) / 255 - image).max() <= 0.51 / 255
    assert np.abs(decoded(answer["defocus"]) / 65535 * 18 - defocus * 4.5).max() <= 5e-4


def test_a_photo_that_the_configured_memory_is_not_enough_for_is_refused_by_row(weights: Path) -> None:
    short = served(weights, {"precision": "fp32", "memory": 0.001})
    with pytest.raises(MlflowException, match=r"row 0: memory: found 0.001 GiB, expected .* or more") as caught:
        short.predict(None, [encode_png(PHOTO)])  # type: ignore[arg-type]
    assert caught.value.get_http_status_code() == 400


def test_without_a_configuration_it_gives_the_pixels_that_python_gives(weights: Path) -> None:
    answer = served(weights, None).predict(None, [encode_png(PHOTO)]).iloc[0]  # type: ignore[arg-type]
    image, defocus = Deblurrer.load(weights)(PHOTO)
    assert np.array_equal(decoded(answer["deblurred"]), image)
    assert np.array_equal(decoded(answer["defocus"]), np.rint(defocus * 65535))


def test_strength_mask_and_only_give_the_pixels_that_python_gives(weights: Path) -> None:
    stirred_weights = weights.with_name("stirred.safetensors")
    save_weights(stirred_network(), stirred_weights)
    service, deblurrer = (
        served(stirred_weights, {"precision": "fp32"}),
        Deblurrer.load(stirred_weights, precision="fp32"),
    )
    mask = np.tile(np.linspace(0, 255, 40).astype(np.uint8), (32, 1))
    table = pd.DataFrame({"image": [encode_png(PHOTO)] * 3, "mask": [encode_png(mask), "", None]})
    answer = service.predict(None, table, {"strength": 0.6, "only": ""})  # type: ignore[arg-type]
    for row, given in enumerate(({"mask": mask}, {}, {})):
        expected = deblurrer(PHOTO, strength=0.6, **given).image  # type: ignore[arg-type]
        assert np.array_equal(decoded(answer["deblurred"][row]), expected) and not np.array_equal(expected, PHOTO)
    untouched = service.predict(None, [encode_png(PHOTO)], {"strength": 0.0}).iloc[0]  # type: ignore[arg-type]
    assert np.array_equal(decoded(untouched["deblurred"]), PHOTO)
    blurred = service.predict(None, [encode_png(PHOTO)], {"only": "blurred"}).iloc[0]  # type: ignore[arg-type]
    assert np.array_equal(decoded(blurred["deblurred"]), deblurrer(PHOTO, only="blurred").image)


def test_a_strength_mask_or_choice_that_makes_no_sense_is_refused_by_row(model: DefocusDeblurring) -> None:
    for given, words in (
        ({"strength": 2.0}, "row 0: strength: found 2, expected 0 to 1.5"),
        ({"strength": float("nan")}, "row 0: strength: found nan"),
        ({"only": "subject"}, "row 0: only: found 'subject'"),
    ):
        with pytest.raises(MlflowException, match=words):
            model.predict(None, [encode_png(PHOTO)], given)  # type: ignore[arg-type]
    masks: list[tuple[object, str]] = [
        (encode_png(PHOTO[:, :, 0].T.copy()), r"row 1: mask: found \(40, 32\), expected \(32, 40\)"),
        (encode_png(PHOTO), "row 1 of column 'mask': found a mask in colours"),
        (encode_png(np.zeros((32, 40), np.uint8)), "row 1 of column 'mask': found a mask that is all black"),
        ("§§§", "row 1 of column 'mask' is not base64"),
        (7, "row 1 of column 'mask' is int"),
    ]
    for mask, words in masks:
        table = pd.DataFrame({"image": [encode_png(PHOTO)] * 2, "mask": ["", mask]})
        with pytest.raises(MlflowException, match=words):
            model.predict(None, table)  # type: ignore[arg-type]


@pytest.mark.parametrize("form", [lambda t: [t], lambda t: [{"image": t}], lambda t: {"image": [t]}])
def test_lists_and_records_are_taken_like_tables(model: DefocusDeblurring, form: object) -> None:
    given = form(encode_png(PHOTO))  # type: ignore[operator]
    assert len(model.predict(None, given)) == 1  # type: ignore[arg-type]


def test_jpeg_and_data_urls_are_read(model: DefocusDeblurring) -> None:
    smooth = Image.fromarray(np.full((20, 20, 3), 90, np.uint8))
    assert np.abs(decode_photo(encoded(smooth, "JPEG"), 0, 1.0).colour.astype(int) - 90).max() <= 2
    url = "data:image/png;base64," + encode_png(PHOTO)
    assert np.array_equal(decode_photo(url, 0, 1.0).colour, PHOTO)


def test_a_photo_is_turned_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown rotated by 90° clockwise
    text = encoded(Image.fromarray(PHOTO), "PNG", exif=exif)
    assert np.array_equal(decode_photo(text, 0, 1.0).colour, np.rot90(PHOTO, -1))


def test_16_bits_and_alpha_come_back_and_grey_becomes_rgb(weights: Path) -> None:
    deep = np.random.default_rng(0).integers(0, 65536, (20, 24, 4), np.uint16)
    model, deblurrer = served(weights, None), Deblurrer.load(weights)
    for channels in (1, 2, 3, 4):
        given = deep[..., :channels]
        (text,) = model.predict(None, [encode_png(given)])["deblurred"]  # type: ignore[arg-type]
        photo = decode(base64.b64decode(text), "answer")
        colour = np.repeat(given[..., :1], 3, axis=2) if channels < 3 else given[..., :3]
        assert np.array_equal(photo.colour, deblurrer(colour).image)
        assert photo.levels.shape == (20, 24, 4 if channels in (2, 4) else 3)
        if photo.has_alpha:
            assert np.array_equal(photo.levels[..., 3], given[..., -1])


def test_tiff_of_floats_and_webp_are_read(weights: Path) -> None:
    light = np.random.default_rng(0).random((20, 24, 3), np.float32)
    floats = Photo(light, Encoding("tiff", {"compression": "raw"}))
    (text,) = served(weights, None).predict(None, [base64.b64encode(encode_photo(floats)).decode()])["deblurred"]  # type: ignore[arg-type]
    expected = np.rint(Deblurrer.load(weights)(light).image * np.float32(65535))
    assert np.array_equal(decode(base64.b64decode(text), "answer").levels, expected)
    assert np.array_equal(decode_photo(encoded(Image.fromarray(PHOTO), "WEBP", lossless=True), 0, 1.0).levels, PHOTO)


def test_what_is_no_image_is_refused() -> None:
    assert "found 19 bytes that are no picture, expected PNG, JPEG, TIFF or WebP" in refusal(
        base64.b64encode(b"hello, this is text").decode()
    )
    assert "not base64" in refusal("§§§")
    assert "float, expected a base64 string" in refusal(float("nan"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_truncated_image_is_refused(kind: str) -> None:
    content = base64.b64decode(encoded(Image.fromarray(PHOTO), kind))
    message = refusal(base64.b64encode(content[: len(content) // 2]).decode())
    assert message.startswith("row 0 of column 'image': ") and "corrupt or cut short" in message


def test_a_picture_above_the_limit_is_refused_with_the_limit_named() -> None:
    message = refusal(encode_png(PHOTO), limit=0.001)
    assert "40×32 px" in message and "expected 0.001 at most; send a smaller picture" in message


def test_a_decompression_bomb_is_refused_without_being_decoded() -> None:
    bomb = encoded(Image.new("1", (20000, 20000)), "PNG")
    assert "400 megapixels, expected 25 at most" in refusal(bomb)


def test_a_picture_that_is_too_small_for_the_network_is_refused() -> None:
    assert "found 40×8 px, expected 16 px or more each way" in refusal(encode_png(PHOTO[:8]))


def test_other_formats_and_animations_are_refused_and_named() -> None:
    frames = [Image.fromarray(PHOTO), Image.fromarray(255 - PHOTO)]
    moving: dict[str, object] = {"save_all": True, "append_images": frames[1:]}
    assert "found a GIF, expected PNG, JPEG, TIFF or WebP" in refusal(encoded(frames[0], "GIF", **moving))
    assert "found a BMP, expected PNG, JPEG, TIFF or WebP" in refusal(encoded(frames[0], "BMP"))
    assert "found an animation, expected one picture" in refusal(encoded(frames[0], "PNG", **moving))


def test_of_a_phones_jpeg_with_a_second_picture_in_it_the_first_is_taken() -> None:
    text = encoded(Image.fromarray(PHOTO), "MPO", save_all=True, append_images=[Image.fromarray(255 - PHOTO)])
    expected = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))))
    assert np.array_equal(decode_photo(text, 0, 1.0).colour, expected)


def test_a_jpeg_with_a_broken_exif_block_is_taken_as_it_lies() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    content = base64.b64decode(encoded(Image.fromarray(PHOTO), "JPEG", exif=exif, dpi=(72, 72)))  # not asked of EXIF
    head = b"Exif\0\0" + exif.tobytes()[6:8]
    assert content.count(head) == 1
    broken = content.replace(head, b"Exif\0\0XX")
    expected = np.asarray(Image.open(io.BytesIO(content)))
    assert np.array_equal(decode_photo(base64.b64encode(broken).decode(), 0, 1.0).colour, expected)


def test_colours_come_back_with_their_profile_and_the_map_without(model: DefocusDeblurring) -> None:
    profile, grey = (bytes(16) + kind + bytes(16) + b"acsp" + bytes(200) for kind in (b"RGB ", b"GRAY"))
    photos = [encoded(Image.fromarray(PHOTO), kind, icc_profile=profile) for kind in ("PNG", "JPEG")]
    photos.append(encoded(Image.fromarray(PHOTO[..., 0]), "PNG", icc_profile=grey))
    answer = model.predict(None, photos)  # type: ignore[arg-type]
    found = [Image.open(io.BytesIO(base64.b64decode(text))).info.get("icc_profile") for text in answer["deblurred"]]
    assert found == [profile, profile, None]
    assert not any(b"iCCP" in base64.b64decode(text) for text in answer["defocus"])


def test_a_prints_inks_are_refused() -> None:
    assert "of the kind CMYK (a print's inks" in refusal(encoded(Image.new("CMYK", (32, 32)), "JPEG"))


@pytest.mark.parametrize("given", [pd.DataFrame({"photo": ["x"]}), [{"picture": "x"}], "text"])
def test_an_input_without_the_column_image_is_refused(model: DefocusDeblurring, given: object) -> None:
    with pytest.raises(MlflowException, match="no column 'image'"):
        model.predict(None, given)  # type: ignore[arg-type]


def test_the_row_that_is_wrong_is_named_and_the_parameter_sets_the_limit(model: DefocusDeblurring) -> None:
    table = pd.DataFrame({"image": [encode_png(PHOTO[:16, :16]), encode_png(PHOTO)]})
    with pytest.raises(MlflowException, match="row 1 of column 'image'"):
        model.predict(None, table, {"max_megapixels": 0.001})  # type: ignore[arg-type]


@pytest.mark.parametrize("wanted", [float("nan"), float("inf"), 0.0, -1.0])
def test_a_limit_that_is_no_number_of_megapixels_is_refused(model: DefocusDeblurring, wanted: float) -> None:
    with pytest.raises(MlflowException, match="expected a number above 0"):
        model.predict(None, [encode_png(PHOTO)], {"max_megapixels": wanted})  # type: ignore[arg-type]


def test_who_asks_cannot_raise_the_limit_above_the_operators(model: DefocusDeblurring) -> None:
    large = encode_png(np.zeros((128, 128, 3), np.uint8))
    with pytest.raises(MlflowException, match=r"expected 0\.01 at most"):
        model.predict(None, [large], {"max_megapixels": 100.0})  # type: ignore[arg-type]


def test_a_refusal_stays_one_sentence_when_the_server_puts_the_picture_before_it() -> None:
    with pytest.raises(MlflowException) as caught:
        decode_photo("aGVsbG8=", 0, 1.0)
    caught.value.message = f"Failed to predict data 'aGVsbG8='. \nError: {caught.value.message}"
    assert json.loads(caught.value.serialize_as_json())["message"] == refusal("aGVsbG8=")


def test_the_file_can_be_loaded_where_it_lies(tmp_path: Path) -> None:
    missing = SimpleNamespace(artifacts={"weights": str(tmp_path / "gone.safetensors")}, model_config={})
    with pytest.raises(ValueError, match=r"gone\.safetensors"):
        DefocusDeblurring().load_context(missing)  # type: ignore[arg-type]


def test_a_file_that_is_not_the_one_that_was_packed_is_not_loaded(tmp_path: Path) -> None:
    weights = tmp_path / "s3.safetensors"
    save_weights(build_network(NetworkConfig.of_size("small")), weights)
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    packed = SimpleNamespace(artifacts={"weights": str(weights)}, model_config={"weights_sha256": digest})
    DefocusDeblurring().load_context(packed)  # type: ignore[arg-type]
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match="is not what was registered: SHA-256"):
        DefocusDeblurring().load_context(packed)  # type: ignore[arg-type]

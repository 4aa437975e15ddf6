"""A network as the archive that darktable 5.6's *neural restore* installs, into the place that it has for denoisers.

A ``.dtmodel`` is a zip of one folder, named like the model: ``config.json`` says what it is, ``model.onnx`` takes and
gives pictures 1×3×H×W, sRGB in 0..1. darktable fixes H and W (the dimensions ``height`` and ``width``) to its tile's
side, lays 64 px of the photo around each tile, and keeps the middle. After darktable's ``src/common/ai_models.c`` and
``restore.c`` (2026) and darktable-ai's ``package.py``.
"""

import json
import zipfile
from importlib import metadata
from pathlib import Path

from sftdec.builtin import builtin_weights
from sftdec.inference.export import compared, onnx_model
from sftdec.networks import SFTDec
from sftdec.runtime import atomic_path, checksum
from sftdec.version import __version__

IDENTIFIER = "denoise-sft-dec"  # of the model, and the archive's folder; darktable wants the task in front
OVERLAP = 64  # px that darktable lays around a tile
TILES = (2048, 1536, 1024, 768)  # px with the overlap, the first that its memory allows; smaller ones show seams
INPUT, OUTPUT = "input", "output"
EPOCH = (1980, 1, 1, 0, 0, 0)  # of every file in the archive: the same network gives the same bytes

README = """# SFT-Dec: defocus deblurring, for darktable 5.6 and later

Made by sftdec {version} (`sftdec export --format dtmodel`) from weights of SHA-256
`{digest}`.
Install it in darktable: preferences, AI, *import from file…*; then *neural restore*, *denoise*.

## What it does, and what it doesn't

- It removes defocus blur of a sigma up to {sigma_max:g} px (a disc of twice that radius). It is **not** a denoiser:
  darktable has no place of its own for deblurring, so it stands among the denoisers, of which one is active at a time.
- Leave *detail recovery* at 0: it brings back the photo's own luminance, blur and all.
- darktable computes it tile by tile, with {overlap} px around each. The network takes a mean over all that it is given,
  and sees {reach} px far, so a tile comes out a little otherwise than in the whole photo, the less so the larger tiles
  are. `sftdec deblur` gives what the whole photo gives, with its defocus map.
- It works on darktable's finished picture in sRGB. It was trained on photos as cameras give them: sharpen, if at all,
  after it.

## Licence and provenance

{licence}
"""
OWN_LICENCE = """The code that made it is under Apache-2.0 (LICENSE, beside this file). These weights were trained by
somebody else: what holds for them depends on the photos they were trained on, and is for those to say who hand them
on."""
SHIPPED_LICENCE = """These are the weights that ship with sftdec. MODEL_CARD.md, beside this file, says what they were
trained on, whose photos those were, and what holds for the weights. The code is under Apache-2.0 (LICENSE)."""


def export_dtmodel(network: SFTDec, weights: Path, path: Path) -> float:
    """Write a network, of the file ``weights``, as an archive for darktable, compared with PyTorch before, or nothing.

    Returns:
        The largest difference of a value from PyTorch's, over pictures of the sizes ``export.COMPARED``.

    Raises:
        ExportError: the network pools by windows, or the file's results differ.
        MissingExtraError: the extra ``export`` isn't installed.
    """
    model = onnx_model(network)
    from sftdec.inference.graph import photo_to_photo

    content = photo_to_photo(model.proto, INPUT, OUTPUT).SerializeToString()
    difference = compared(network, content, path, INPUT, (OUTPUT,))
    files = {"config.json": _config(), "model.onnx": content} | _papers(network, checksum(weights))
    with atomic_path(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():  # the first one's folder is what darktable takes for the model's name
            entry = zipfile.ZipInfo(f"{IDENTIFIER}/{name}", EPOCH)
            entry.compress_type, entry.external_attr = zipfile.ZIP_DEFLATED, 0o644 << 16
            archive.writestr(entry, data)
    return difference


def _config() -> str:
    described: dict[str, object] = {
        "id": IDENTIFIER,
        "name": "sft-dec defocus deblurring",
        "description": "removes defocus blur, not noise",
        "task": "denoise",
        "arch": "sft-dec",
        "backend": "onnx",
        "version": __version__,
        "type": "single",
        "tiling": True,
        "num_inputs": 1,
        "attributes": {"input_sizes": TILES},
    }
    return json.dumps(described, indent=4) + "\n"


def _licence() -> str:
    """The licence's text as it was installed; the ``egg-info`` beside sources, which may come first, hasn't got it."""
    texts = (each.read_text("licenses/LICENSE") for each in metadata.distributions(name="sftdec"))
    if text := next(filter(None, texts), None):
        return text
    raise FileNotFoundError(
        "licenses/LICENSE: not among what was installed of sftdec, and no archive is made without it; "
        "install sftdec again"
    )


def _papers(network: SFTDec, digest: str) -> dict[str, str]:
    """What a person needs to know, and the licence, by file name."""
    from sftdec.inference.receptive_field import measure_reach

    shipped, reach = builtin_weights(), measure_reach(network)
    is_shipped = digest == checksum(shipped)
    readme = README.format(
        version=__version__,
        digest=digest,
        sigma_max=network.config.sigma_max,
        overlap=OVERLAP,
        reach=(reach.deblurring + reach.defocus) * reach.stem,
        licence=SHIPPED_LICENCE if is_shipped else OWN_LICENCE,
    )
    papers = {"README.md": readme, "LICENSE": _licence()}
    if is_shipped:
        papers["MODEL_CARD.md"] = shipped.with_name("MODEL_CARD.md").read_text("utf-8")
    return papers

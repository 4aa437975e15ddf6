"""Small scenes, tables and curves for the tests of this folder."""

import numpy as np
import pandas as pd
from scipy.ndimage import gaussian_filter

from sftdec.datasets.scene import Scene, write_index, write_scene
from sftdec.evaluation.evaluate import COLUMNS


def make_scene(name="sample/a_0", height=48, width=64, dataset="sample", seed=0, sigma_max=4.0):
    """Noise that is blurred more and more towards the right."""
    generator = np.random.default_rng(seed)
    coarse = gaussian_filter(generator.random((height, width, 3)), (1, 1, 0))
    sharp = np.uint8(np.clip((coarse - 0.5) * 4 + 0.5, 0, 1) * 255)
    defocus = np.broadcast_to(np.linspace(0, 1, width, dtype=np.float32), (height, width)).copy()
    soft = gaussian_filter(sharp.astype(float), (2, 2, 0))
    blurred = np.uint8(np.rint(sharp * (1 - defocus[..., None]) + soft * defocus[..., None]))
    return Scene(
        name=name,
        dataset=dataset,
        split="test",
        photo=name,
        sigma_max=sigma_max,
        blurred=blurred,
        sharp=sharp,
        defocus=defocus,
    )


def halfway(scene):
    """A restoration that is half as wrong as the blurred picture."""
    return np.uint8((scene.blurred.astype(int) + scene.sharp) // 2)


def make_per_image(gains, dataset="sample", blurred=25.0):
    """A per-image table with the given PSNR gains."""
    rows = [
        {
            "dataset": dataset,
            "scene": f"{dataset}/picture_{index}",
            "psnr": blurred + gain,
            "psnr_blurred": blurred,
            "ssim": 0.8,
            "ssim_blurred": 0.7,
            "mae": 0.1,
            "mse": 0.02,
            "mae_constant": 0.2,
            "mse_constant": 0.05,
            "mae_constant_own": 0.15,
            "height": 48,
            "width": 64,
        }
        for index, gain in enumerate(gains)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def make_curve(steps=30, validated=True):
    """A training curve: `loss_wd` never measured, validation figures every tenth step."""
    step = np.arange(1, steps + 1)
    psnr = np.where((step % 10 == 0) & validated, 24 + step / 10, np.nan)
    loss = 1 / step
    return pd.DataFrame(
        {
            "step": step,
            "loss": loss,
            "loss_dme": loss / 2,
            "loss_df": loss / 3,
            "loss_wd": np.nan,
            "validation_psnr": psnr,
            "validation_mae": 1 / psnr,
        }
    )


def make_scenes(root, splits=("train", "train", "validation", "test"), dataset="sample"):
    """A folder of scenes like fetch's, a scene for each split."""
    rows = []
    for number, split in enumerate(splits):
        scene = make_scene(f"{dataset}/picture_{number}", dataset=dataset, seed=number)
        rows.append(write_scene(root, scene) | {"split": split})
    return write_index(root, rows)


def make_patches(root, index, each=3):
    """An index of patches like the store's, some of each training scene."""
    training = index[index["split"] == "train"]
    rows = training.loc[training.index.repeat(each), ["scene", "dataset", "sigma_mean"]].reset_index(drop=True)
    rows = rows.assign(top=0, left=0)
    rows["sharpness"], rows["brightness"] = np.linspace(2, 9, len(rows)), np.linspace(0, 255, len(rows))
    root.mkdir(parents=True, exist_ok=True)
    rows.to_parquet(root / "index.parquet")
    return rows


def texts(figure):
    """Everything that is written on a figure."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]

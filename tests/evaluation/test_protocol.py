"""The metrics against other people's, on pictures like those that are measured, and their description."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from sftdec.evaluation.metrics import SSIM_SIGMA, SSIM_WINDOW, psnr, ssim
from sftdec.evaluation.protocol import PROTOCOL


def pairs():
    """A hundred of random size, texture, contrast, blur and noise: from nearly equal to unlike."""
    for seed in range(100):
        generator = np.random.default_rng(seed)
        height, width = generator.integers(SSIM_WINDOW, 48, 2)
        texture = gaussian_filter(generator.normal(size=(height, width, 3)), (*[generator.uniform(0, 3)] * 2, 0))
        sharp = 127 + generator.uniform(10, 120) * texture / texture.std()
        blurred = gaussian_filter(sharp, (*[generator.uniform(0, 4)] * 2, 0))
        noisy = blurred + generator.normal(size=sharp.shape) * generator.uniform(0.6, 20)
        yield tuple(np.clip(np.rint(picture), 0, 255).astype(np.uint8) for picture in (noisy, sharp))


def test_the_metrics_are_scikit_images_to_a_millionth_on_a_hundred_random_pairs():
    for image, reference in pairs():
        theirs = structural_similarity(
            image,
            reference,
            win_size=11,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
            channel_axis=2,
        )
        assert psnr(image, reference) == pytest.approx(
            peak_signal_noise_ratio(reference, image, data_range=255), abs=1e-6, rel=0
        )
        assert ssim(image, reference) == pytest.approx(theirs, abs=1e-6, rel=0)


def test_the_metrics_are_torchmetrics_to_a_ten_thousandth_on_a_hundred_random_pairs():
    from torchmetrics.functional.image import peak_signal_noise_ratio as their_psnr
    from torchmetrics.functional.image import structural_similarity_index_measure as their_ssim

    for image, reference in pairs():
        pair = [torch.from_numpy(picture).permute(2, 0, 1)[None].double() for picture in (image, reference)]
        assert psnr(image, reference) == pytest.approx(float(their_psnr(*pair, data_range=255.0)), abs=1e-4, rel=0)
        # Its own mean takes in the border too, where the window sees the picture mirrored; ours leaves it out.
        _, everywhere = their_ssim(
            *pair, gaussian_kernel=True, sigma=1.5, kernel_size=11, data_range=255.0, return_full_image=True
        )
        inside = slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2))
        theirs = float(everywhere[..., inside, inside].mean())
        assert ssim(image, reference) == pytest.approx(theirs, abs=1e-4, rel=0)


def test_the_footnote_states_range_rounding_window_and_colour():
    for stated in ("range is 255", "half to even", f"{SSIM_WINDOW}×{SSIM_WINDOW} px", f"sigma {SSIM_SIGMA}", "sRGB"):
        assert stated in PROTOCOL
    assert "channels together" in PROTOCOL and "each colour channel by itself" in PROTOCOL

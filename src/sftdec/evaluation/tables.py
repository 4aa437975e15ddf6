"""Metrics as Markdown."""

from collections.abc import Mapping

HEADER = (
    "| data set | images | PSNR blurred | PSNR deblurred | gain | SSIM blurred | SSIM deblurred "
    "| improved | map MAE | map MSE | MAE of a constant |"
)


def metrics_table(metrics: Mapping[str, Mapping[str, float | int]]) -> str:
    """A Markdown table, a row a data set, of what `evaluate.summarise` returns; ends with a newline.

    PSNR and gain in dB; map errors in units of sigma / sigma_max. The better of each pair is bold.

    Raises:
        ValueError: there is no data set.
    """
    if not metrics:
        raise ValueError("no metrics to tabulate; expected at least one data set")
    ruler = "|:--|" + "--:|" * (HEADER.count("|") - 2)
    return "\n".join([HEADER, ruler, *(_row(name, values) for name, values in metrics.items())]) + "\n"


def _row(dataset: str, values: Mapping[str, float | int]) -> str:
    before, after = _pair(values["psnr_blurred"], values["psnr"], 2, larger=True)
    ssim_before, ssim_after = _pair(values["ssim_blurred"], values["ssim"], 4, larger=True)
    constant, mae = _pair(values["mae_constant"], values["mae"], 4, larger=False)
    cells = [
        dataset.replace("|", "\\|"),
        str(values["images"]),
        before,
        after,
        f"{values['psnr'] - values['psnr_blurred']:+.2f}",
        ssim_before,
        ssim_after,
        f"{values['improved']:.0%}",
        mae,
        f"{values['mse']:.4f}",
        constant,
    ]
    return "| " + " | ".join(cells) + " |"


def _pair(first: float, second: float, decimals: int, larger: bool) -> tuple[str, str]:
    """Both numbers as text, the better one bold, neither where they are equal as printed."""
    texts = (f"{first:.{decimals}f}", f"{second:.{decimals}f}")
    if texts[0] == texts[1]:
        return texts
    if (first > second) == larger:
        return f"**{texts[0]}**", texts[1]
    return texts[0], f"**{texts[1]}**"

from .classical import MAP_SOURCES, evaluate_deconvolution, map_of_network
from .clusters import Estimate, clustered, holm
from .evaluate import (
    COLUMNS,
    MAP_MEASURES,
    MEASURES,
    evaluate_network,
    summarise,
    training_window,
    write_metrics,
    write_per_image,
)
from .metrics import Picture, map_errors, psnr, ssim, to_uint8
from .protocol import PROTOCOL
from .protocols import PROTOCOLS, PUBLISHED_MEASURES, measure_pair, perceptual_packages
from .statistics import DECIMALS, Interval, Verdict, _studentized, paired_interval

__all__ = [
    "COLUMNS",
    "DECIMALS",
    "MAP_MEASURES",
    "MAP_SOURCES",
    "MEASURES",
    "PROTOCOL",
    "PROTOCOLS",
    "PUBLISHED_MEASURES",
    "Estimate",
    "Interval",
    "Picture",
    "Verdict",
    "_studentized",
    "clustered",
    "evaluate_deconvolution",
    "evaluate_network",
    "holm",
    "map_errors",
    "map_of_network",
    "measure_pair",
    "paired_interval",
    "perceptual_packages",
    "psnr",
    "ssim",
    "summarise",
    "to_uint8",
    "training_window",
    "write_metrics",
    "write_per_image",
]

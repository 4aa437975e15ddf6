"""The methods of tables 1 and 2, in the paper's order, with the paper's figures; and those that stand here besides."""

from typing import NamedTuple

from sftdec.experiments.tables.differences import Measure

REFERENCE = "sft_dec"  # each other method's figures are compared with its
DECONVOLVED = "+deconvolution"
FLOOR = "floor"  # the row that needs no method
BUDGET_TITLES: dict[str, str] = {"equal_time": "Equal time", "equal_steps": "Equal steps"}
UNTRAINED = "untrained"  # the budget of what learns nothing: its rows stand in every section
PANEL_BUDGET = "equal_time"  # of the panels' pictures
DECIMALS: dict[Measure, int] = {"mae": 4, "mse": 4, "psnr": 2, "ssim": 4}

ORACLE = f"oracle{DECONVOLVED}"
CLASSICAL = ("karaali_jung", "zhuo_sim", ORACLE)  # judged without weights
MAP_ALSO_DECONVOLVED = ("dme_net", "sft_dec")  # networks whose map the deconvolution is given, too


class Method(NamedTuple):
    """A row of a table.

    ``judged``: the ``model`` that its figures stand under in the judged rows; ``paper``: the paper's figures on
    Realistic in the order of the table's measures, None for a row that the paper doesn't have; ``short``: its name in
    a panel; ``cost``: the ``method`` of its costs, where that isn't ``judged``.
    """

    judged: str
    title: str
    short: str
    paper: tuple[float, float] | None = None
    cost: str = ""


class Floor(NamedTuple):
    """A row that needs no method: what its figures are called in the judged rows."""

    title: str
    columns: tuple[str, str]


class Table(NamedTuple):
    """One of the paper's tables."""

    number: int
    title: str
    measures: tuple[Measure, Measure]
    floor: Floor
    methods: tuple[Method, ...]


TABLE_1 = Table(
    1,
    "defocus maps",
    ("mae", "mse"),
    Floor("best constant map", ("mae_constant", "mse_constant")),
    (
        Method("karaali_jung", "Karaali & Jung", "Karaali & Jung", (0.3102, 0.1245)),
        Method("zhuo_sim", "Zhuo & Sim", "Zhuo & Sim"),
        Method("dme_net", "DMENet", "DMENet", (0.1191, 0.0242)),
        Method("did_anet", "DID-ANet", "DID-ANet", (0.1331, 0.0312)),
        Method("sft_dec", "SFT-Dec", "SFT-Dec", (0.1303, 0.0299)),
    ),
)
TABLE_2 = Table(
    2,
    "deblurred pictures",
    ("psnr", "ssim"),
    Floor("blurred input", ("psnr_blurred", "ssim_blurred")),
    (
        Method(f"dme_net{DECONVOLVED}", "DMENet, deconvolution", "DMENet, deconv.", (24.0397, 0.7180)),
        Method("dpdnet", "DPDNet, single image", "DPDNet", (24.7232, 0.7640)),
        Method("ifan", "IFAN", "IFAN", (24.9261, 0.8211)),
        Method("mprnet", "MPRNet", "MPRNet", (25.2738, 0.7869)),
        Method("mimo_unet", "MIMO-UNet", "MIMO-UNet", (25.3430, 0.7962)),
        Method("mimo_unet_plus", "MIMO-UNet+", "MIMO-UNet+"),
        Method("nafnet32", "NAFNet, width 32", "NAFNet 32", (24.3461, 0.7484)),
        Method("nafnet64", "NAFNet, width 64", "NAFNet 64"),
        Method("did_anet", "DID-ANet", "DID-ANet", (25.9491, 0.8204)),
        Method("sft_dec", "SFT-Dec", "SFT-Dec", (26.5535, 0.8465)),
        Method(
            "karaali_jung",
            "Karaali & Jung, deconvolution",
            "Karaali & Jung, deconv.",
            cost=f"karaali_jung{DECONVOLVED}",
        ),
        Method("zhuo_sim", "Zhuo & Sim, deconvolution", "Zhuo & Sim, deconv.", cost=f"zhuo_sim{DECONVOLVED}"),
        Method(f"sft_dec{DECONVOLVED}", "SFT-Dec's map, deconvolution", "SFT-Dec map, deconv."),
        Method(ORACLE, "true map, deconvolution", "true map, deconv."),
    ),
)
"""The paper names neither NAFNet's width nor MIMO-UNet's variant; its figures stand at the smaller of each."""

TABLES = {1: TABLE_1, 2: TABLE_2}


def trained_model(judged: str) -> str | None:
    """The network behind a method, whose training, parameters and weights are its; None of a classical method."""
    name = judged.removesuffix(DECONVOLVED)
    return None if judged in CLASSICAL else name

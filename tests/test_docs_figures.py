"""Figures that the documentation states, against the code and the files that they are of."""

import csv
import re
from dataclasses import MISSING, fields
from pathlib import Path

import pytest
import torch

from sftdec.commands.evaluate import CLASSICAL, PROTOCOLS
from sftdec.datasets.recipes import Recipe
from sftdec.networks import build_network
from sftdec.params import MODULATIONS, NetworkConfig
from sftdec.peers import PEERS, build_peer
from sftdec.runtime import read_yaml

ROOT = Path(__file__).parents[1]
CLASSICAL_MAPS = ("karaali_jung", "zhuo_sim")


def text(name):
    return (ROOT / f"docs/{name}.md").read_text("utf-8")


def cells(name, head):
    """The rows of the page's table whose head begins so, without emphasis."""
    _, _, after = text(name).partition(f"\n| {head}")
    lines = after.split("\n\n")[0].splitlines()[2:]
    return [[cell.strip().replace("**", "") for cell in line.strip("|").split(" | ")] for line in lines]


def rows(path):
    with (ROOT / path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def count(network):
    return sum(each.numel() for each in network.parameters())


def test_the_sizes_of_the_networks_compared_are_theirs():
    with torch.device("meta"):
        sizes = {
            name: [build_peer(name, size).parameter_count() / 1e6 for size in ("published", "small")] for name in PEERS
        }
        sizes["sft_dec"] = [count(build_network(NetworkConfig.of_size(size))) / 1e6 for size in ("paper", "small")]
    stated = {row[0].strip("`"): re.findall(r"\d+\.\d{3}", row[2])[:2] for row in cells("peers", "name | paper")}
    assert stated == {name: [f"{size:.3f}" for size in both] for name, both in sizes.items()}


def test_the_sizes_that_scale_starts_from_are_those_of_the_modulations():
    with torch.device("meta"):
        built = [count(build_network(NetworkConfig.of_size("paper", modulation=kind))) for kind in MODULATIONS]
    assert [int(row[1].replace(",", "")) for row in cells("scale", "network | parameters")[:4]] == built


def test_what_tables_1_and_2_showed_is_what_their_figures_say():
    of = {
        (number, row["budget"], row["method"]): row
        for number in (1, 2)
        for row in rows(f"reports/table{number}.csv")
        if row["dataset"] == "unseen"
    }
    told = {method: row for (number, budget, method), row in of.items() if (number, budget) == (2, "equal_time")}
    networks = {method: row for method, row in told.items() if method in {*PEERS, "floor"} and row["psnr_low"]}
    better = {method for method, row in networks.items() if float(row["psnr_low"]) > 0}
    worse = {method for method, row in networks.items() if float(row["psnr_high"]) < 0}
    assert better == {"mimo_unet"} and {*networks} - better - worse == {"nafnet32"}
    assert worse == {"did_anet", "mprnet", "ifan", "dpdnet", "floor"}
    assert not [method for method, row in told.items() if row["status"]]
    deconvolved = {method: row for method, row in told.items() if "deconvolution" in method or method in CLASSICAL_MAPS}
    better = {method: row for method, row in deconvolved.items() if float(row["psnr_high"]) > 0}
    assert len(deconvolved) == 5 and {*better} == {"oracle+deconvolution"}
    assert f"better by {float(better['oracle+deconvolution']['psnr_difference']):.1f} dB" in text("comparison")
    maps = {name: of[1, "equal_time", name] for name in ("dme_net", "did_anet", *CLASSICAL_MAPS)}
    assert float(maps["dme_net"]["mae_low"]) > 0
    assert float(maps["did_anet"]["mae_low"]) < 0 < float(maps["did_anet"]["mae_high"])
    assert all(float(maps[name]["mae_high"]) < 0 for name in CLASSICAL_MAPS)
    gains = " and ".join(f"{-float(maps[name]['mae_difference']):.3f}" for name in CLASSICAL_MAPS)
    assert f"better than SFT-Dec's, by {gains} of full scale" in text("comparison")
    long, short = (f"{float(of[2, budget, 'mprnet']['psnr']):.2f} dB" for budget in ("equal_time", "equal_steps"))
    assert f"MPRNet's was too high for its 1,247 ({long}; {short} after 300)" in text("comparison")
    assert {(row["scenes"], row["photos"]) for row in told.values()} == {("372", "93")}


def test_what_table_3_showed_is_what_its_figures_say():
    found = [row for row in rows("reports/table3.csv") if row["measure"] == "psnr"]
    told = [(row["verdict"], row["size"]) for row in found if row["kind"] == "statement"]
    assert len(told) == 8 and sum({*pair} != {"can't be told"} for pair in told) == 6
    signs, sizes = (sorted(kind) for kind in zip(*told, strict=True))
    assert signs == ["can't be told"] * 7 + ["holds"] and sizes == ["can't be told"] * 3 + ["doesn't hold"] * 5
    assert "Six of the paper's eight statements are decided. One holds" in text("table3")
    assert "The sizes of five don't hold here" in text("table3")
    last = [row for row in found if row["first"].endswith(" s3") and row["second"] == row["first"][:-2] + "s2"]
    ends = [f"{end(float(row[key]) for row in last):.2f}" for end, key in ((min, "low"), (max, "high"))]
    assert len(last) == 4 and f"What s3 adds lies between {' and '.join(ends)} dB".replace("-", "−") in text("table3")


def test_what_the_model_that_ships_learned_from_is_counted():
    page, said = text("builtin"), [row["steps"] for row in rows("experiments/builtin/legs.csv")]
    scenes = sum(int(row["count"]) for row in rows("experiments/builtin/camera.csv") if row["split"] == "train")
    assert f"From {scenes:,} scenes" in page and f"The {len(rows('experiments/builtin/photos.csv'))} photos" in page
    assert f"{said[1]} steps" in page and f"then {said[2]} with" in page


def test_trials_of_recipes_and_shapes_are_those_of_their_figures():
    found, listed = rows("experiments/builtin/trials.csv"), read_yaml(ROOT / "experiments/builtin/trials.yaml")
    for kind, head, first in (("recipes", "changed", "steps"), ("shapes", "shape: ", "parameters")):
        own = [row for row in found if row["kind"] == kind]
        assert {row["trial"] for row in own} - {"shipped"} <= set(listed[kind])
        wanted = [[float(row[key]) for key in list(row)[list(row).index(first) :] if row[key]] for row in own]
        shown = [re.findall(r"[-+]?[0-9.]+", " ".join(line[1:]).replace("−", "-")) for line in cells("builtin", head)]
        assert [[float(figure) for figure in line] for line in shown] == wanted


def test_columns_that_a_recipe_may_leave_out_have_these_values():
    stated = {}
    for name, values in re.findall(r"^\| (`.*?`) \(([^)]*)\) \|", text("builtin"), re.MULTILINE):
        stated |= dict(zip(re.findall(r"`(\w+)`", name), values.split(", "), strict=True))
    given = {field.name: field.default for field in fields(Recipe) if field.default is not MISSING}
    assert stated == {name: f"{value:g}" if isinstance(value, int | float) else value for name, value in given.items()}


def test_the_schedule_in_bold_is_that_of_params_yaml():
    train = read_yaml(ROOT / "params.yaml")["train"]
    steps = " + ".join(f"{train[stage]['steps']:,}" for stage in ("s1", "s2", "s3"))
    assert cells("schedules", "batch, crop")[0][:2] == [
        f"{train['common']['batch_size']}, {train['common']['crop']}",
        steps,
    ]


def test_folds_and_steps_are_those_of_table_3():
    table3 = read_yaml(ROOT / "experiments/table3/params.yaml")
    assert len(table3["folds"]) == 6 and table3["steps"]["end_to_end"] == 3000
    assert "With six folds and 3,000 steps a chain" in text("table3")


@pytest.mark.parametrize(("head", "names"), [("protocol |", PROTOCOLS), ("row |", CLASSICAL)])
def test_protocols_and_methods_of_the_grid_are_those_that_there_are(head, names):
    stated = " ".join(row[0] for row in cells("grid", head))
    assert all(f"`{name}`" in stated for name in names)

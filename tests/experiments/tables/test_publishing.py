import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sftdec.datasets.scene import write_index, write_scene
from sftdec.evaluation.metrics import psnr
from sftdec.evaluation.protocol import PROTOCOL
from sftdec.experiments.tables.judged import Keeper
from sftdec.experiments.tables.methods import TABLE_1, TABLE_2, trained_model
from sftdec.experiments.tables.pages import comparison_document
from sftdec.experiments.tables.panels import Shown, comparison_panel, map_sheet
from sftdec.experiments.tables.publishing import write_panels, write_tables
from tests.evaluation.scenes import halfway, make_scene, texts
from tests.experiments.tables.planted import all_judged, costs, judged_rows, training

MODELS = [name for method in TABLE_2.methods if (name := trained_model(method.judged)) and name != "nafnet64"]
MISSING = ("mprnet", ("ifan", "equal_steps"), "oracle+deconvolution")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    out = tmp_path_factory.mktemp("tables")
    write_tables(all_judged(MISSING), costs(), training(MODELS), out)
    return out


def line(page, heading, title):
    lines = page[page.index(heading) :].splitlines()
    return next(each for each in lines if each.startswith(f"| {title}"))


def test_a_pages_figures_are_those_of_the_csv_file(written):
    page, rows = (written / "table2.md").read_text("utf-8"), pd.read_csv(written / "table2.csv")
    row = rows[(rows["method"] == "dpdnet") & (rows["budget"] == "equal_time") & (rows["dataset"] == "sample")].iloc[0]
    cells = [cell.strip(" *") for cell in line(page, "## Equal time: sample", "DPDNet").split("|")[1:-1]]
    assert cells[1:5] == ["24.7232", "0.7640", f"{row['psnr']:.2f}", f"{row['ssim']:.4f}"]
    found = [float(text.replace("−", "-")) for text in re.findall(r"[+−]?\d+\.\d+", cells[5])]
    assert found == pytest.approx([row["psnr_difference"], row["psnr_low"], row["psnr_high"]], abs=0.006)
    assert cells[7] == "6 of 6" and cells[8:] == ["1\u2009234", "10.0"]
    assert line(page, "## What each costs", "DPDNet") == "| DPDNet, single image | 1.500 | 50 | 1.25 | 321 |"


def test_the_data_set_with_most_photos_comes_first(written):
    rows = pd.read_csv(written / "table2.csv")
    many = rows.assign(dataset="many", photos=rows["photos"] + 90)
    headings = list(comparison_document(TABLE_2, pd.concat([rows, many]), []).parts)
    assert headings[:2] == ["Equal time: many", "Equal steps: many"] and headings[-1] == "What each costs"
    assert headings[2:4] == ["Equal time: sample", "Equal steps: sample"]


def test_every_page_says_how_it_was_measured_and_what_it_cant_show(written):
    for number in (1, 2):
        page = (written / f"table{number}.md").read_text("utf-8")
        assert PROTOCOL in page and "what it can't" in page
        assert "## Equal time: sample" in page and "## Equal steps: sample" in page


def test_what_is_missing_is_a_row_of_its_own(written):
    page = (written / "table2.md").read_text("utf-8")
    assert "not trained" in line(page, "## Equal time: sample", "MPRNet")
    assert "not trained" in line(page, "## Equal steps: sample", "IFAN")
    assert "not judged" in line(page, "## Equal steps: sample", "true map")


def test_a_section_without_figures_says_so(tmp_path):
    write_tables(judged_rows("sft_dec"), costs(), training(MODELS), tmp_path)
    page = (tmp_path / "table2.md").read_text("utf-8")
    _, section = page.split("## Equal steps: sample")
    assert section.strip().startswith("Nothing is measured with the present weights.\n\n|") and "Nan" not in page


def test_a_network_that_the_comparison_does_not_train_has_no_row(written):
    page = (written / "table2.md").read_text("utf-8")
    assert "NAFNet, width 32" in page and "NAFNet, width 64" not in page


def test_the_best_honest_figure_is_bold_and_the_true_maps_never(written):
    page = (written / "table2.md").read_text("utf-8")
    section = page[page.index("## Equal time: sample") : page.index("## Equal steps: sample")]
    bold = [each for each in section.splitlines() if "**" in each]
    assert [each.split("|")[1].strip() for each in bold] == ["SFT-Dec's map, deconvolution †"]


def shown(scene, without=""):
    return [
        Shown(method, None if method.judged == without else halfway(scene), scene.defocus / 2, "not judged")
        for method in TABLE_2.methods
    ]


def test_a_panel_names_each_method_with_the_psnr_of_its_own_picture():
    scene = make_scene(height=60, width=80)
    found = texts(comparison_panel(scene, shown(scene, "mprnet")))
    assert {"blurred", "sharp", "MPRNet", "SFT-Dec", "not judged"} <= set(found)
    reached = f"{psnr(halfway(scene), scene.sharp):.2f} dB"
    assert sum(text.startswith(reached) for text in found) == len(TABLE_2.methods) - 1


def test_a_sheet_of_maps_has_each_methods_error():
    scene = make_scene()
    maps = [Shown(method, None, scene.defocus * np.float32(0.5), "") for method in TABLE_1.methods]
    found = texts(map_sheet([scene], {scene.name: maps}))
    error = f"MAE {scene.defocus.mean() / 2:.4f}"
    assert found.count(error) == len(TABLE_1.methods) and "true map" in found
    with pytest.raises(ValueError, match="no scenes"):
        map_sheet([], {})


def test_panels_show_what_was_kept(tmp_path):
    scene = replace(make_scene("sample/a_0", 40, 48), photo="sample/a")
    write_index(tmp_path / "scenes", [write_scene(tmp_path / "scenes", scene)])
    Keeper(tmp_path / "pictures" / "sft_dec", [scene.name])(scene, halfway(scene), scene.defocus)
    names = write_panels(tmp_path / "scenes", "test", tmp_path / "pictures", tmp_path / "panels", MODELS, ())
    assert names == ["sample/a_0"]
    assert {path.name for path in (tmp_path / "panels").iterdir()} == {"maps.png", "panel_1_sample_a_0.png"}

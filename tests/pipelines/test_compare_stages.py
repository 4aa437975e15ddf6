"""The comparison's stages after its trainings: what they are declared to read, and what they leave."""

import shutil
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import skimage.data
import yaml

from pipelines.stages import compare_costs, compare_judge, compare_tables, compare_unseen
from sftdec.datasets import OWN_PHOTOS
from sftdec.datasets.scene import read_index, write_index, write_scene
from sftdec.evaluation.evaluate import write_per_image
from sftdec.experiments.comparison import BUDGETS, load_comparison
from sftdec.experiments.folds import RENDERINGS
from sftdec.experiments.tables.methods import CLASSICAL, MAP_ALSO_DECONVOLVED
from sftdec.photos import write_picture
from tests.evaluation.scenes import make_scene
from tests.experiments.tables.planted import costs, judged_rows

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "experiments" / "comparison"
STAGES = yaml.safe_load((FOLDER / "dvc.yaml").read_text("utf-8"))["stages"]


@pytest.fixture
def project(tmp_path, monkeypatch):
    """One scene, and the parameters of the checkout."""
    scene = replace(make_scene("sample/a_0", 40, 48), photo="sample/a")
    more = replace(scene, name="unseen/b_0", dataset="unseen", photo="unseen/b")
    for folder, each in (("build/scenes", scene), ("build/comparison/unseen/scenes", more)):
        write_index(tmp_path / folder, [write_scene(tmp_path / folder, each)])
    for name in ("params.yaml", "experiments/comparison/params.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_network_that_is_trained_is_judged_and_every_file_that_a_stage_reads_is_there():
    trained = STAGES["train"]["matrix"]["model"]
    assert STAGES["judge"]["matrix"]["model"] == trained == list(load_comparison(FOLDER / "params.yaml").models)
    assert tuple(STAGES["classical"]["matrix"]["method"]) == CLASSICAL
    assert tuple(STAGES["deconvolution"]["matrix"]["model"]) == MAP_ALSO_DECONVOLVED
    for name in ("unseen", "judge", "deconvolution", "classical", "costs", "tables"):
        read = [path for path in STAGES[name]["deps"] if not path.startswith("build/")]
        assert [path for path in read if not (ROOT / path).exists()] == []


def test_steps_and_minutes_follow_from_the_parameters():
    comparison = load_comparison(FOLDER / "params.yaml")
    table = compare_tables.trainings(comparison).set_index(["model", "budget"])
    assert len(table) == len(comparison.models) * len(BUDGETS)
    for model in comparison.models:
        assert table["minutes"][model, "equal_time"] == pytest.approx(comparison.minutes, rel=0.05)
        assert table["steps"][model, "equal_steps"] == pytest.approx(comparison.steps, abs=2)


def test_a_classical_method_is_judged_and_leaves_its_pictures(project, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["compare_judge", "oracle+deconvolution"])
    compare_judge.main()
    said = capsys.readouterr().out
    assert "untrained: " in said and "1 scenes of sample" in said and "1 scenes of unseen" in said
    comparison = project / "build/comparison"
    assert (comparison / "judged/oracle+deconvolution.parquet").is_file()
    assert (comparison / "pictures/oracle+deconvolution/deblurred/sample/a_0.png").is_file()


def test_photos_that_the_sample_does_not_hold_are_all_to_be_judged_on(project):
    photos = project / "data/builtin" / OWN_PHOTOS
    for name in ("astronaut", "coffee", "chelsea"):
        write_picture(photos / f"my_{name}.png", getattr(skimage.data, name)()[:290, :300])
    compare_unseen.main()
    index = read_index(project / "build/comparison/unseen/scenes")
    assert set(index["split"]) == {"test"} and index["photo"].nunique() == 3 and len(index) == 3 * len(RENDERINGS)


def test_who_does_not_want_them_has_none(project):
    settings = project / "experiments/comparison/params.yaml"
    settings.write_text(settings.read_text("utf-8").replace("unseen: true", "unseen: false"), "utf-8")
    shutil.rmtree(project / "build/comparison")
    compare_unseen.main()
    assert list((project / "build/comparison/unseen/scenes").iterdir()) == []


def test_what_a_method_takes_is_measured_in_a_process_of_its_own_under_dvc_too(project, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("DVC_STAGE", "costs")  # a stage's process then says how long it took
    assert compare_costs._peak("sft_dec") > 2**20


def test_tables_are_made_of_what_there_is_and_published(project, capsys):
    build = project / "build/comparison"
    for model in ("sft_dec", "ifan"):
        write_per_image(build / "judged" / f"{model}.parquet", judged_rows(model))
    (build / "mprnet").mkdir()
    (build / "mprnet/equal_time.safetensors").touch()
    (build / "pictures").mkdir()
    older = project / "reports/figures/comparison/panel_1_old.png"
    older.parent.mkdir(parents=True)
    older.touch()
    costs().to_csv(build / "costs.csv", index=False)
    compare_tables.main()
    assert "2 methods compared" in capsys.readouterr().out
    page = (project / "reports/table2.md").read_text("utf-8")
    assert page == (build / "tables/table2.md").read_text("utf-8") and "not trained" in page
    assert "| MPRNet | 25.2738 | 0.7869 | not judged |" in page
    assert (older.parent / "panel_1_sample_a_0.webp").is_file() and not older.exists()
    published = {path.name for path in (project / "reports").glob("table*")}
    assert published == {f"table{number}.{ending}" for number in (1, 2) for ending in ("csv", "md", "txt")}

"""dvc.yaml names each file of the evaluation that a stage's script leads to: a change of any other re-runs nothing."""

from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]
FOLDER = "src/sftdec/reporting"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text("utf-8"))["stages"]


def test_a_change_of_the_page_re_runs_the_page_alone():
    page = Path(f"{FOLDER}/report/templates/page.html.jinja")
    assert [name for name, stage in STAGES.items() if any(page.is_relative_to(dep) for dep in stage["deps"])] == [
        "report"
    ]


def test_no_stage_waits_for_an_experiment():
    made = {
        next(iter(out)) if isinstance(out, dict) else out
        for file in ROOT.glob("experiments/*/dvc.yaml")
        for stage in yaml.safe_load(file.read_text("utf-8"))["stages"].values()
        for out in stage["outs"]
    }
    read = [dep for stage in STAGES.values() for dep in stage["deps"]]
    assert not [(dep, out) for dep in read for out in made if Path(out).is_relative_to(dep)]

"""The comparison's parameter file, and how each of its trainings is taught."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from sftdec.experiments.comparison import BUDGETS, OURS, Trained, load_comparison
from sftdec.experiments.teaching import objectives
from sftdec.params import ParamsError, load_params
from sftdec.peers import RECIPES
from sftdec.training.peer_objective import PeerObjective

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "experiments/comparison/params.yaml"


def changed(tmp_path, **changes):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(yaml.safe_load(SHIPPED.read_text()) | changes, sort_keys=False))
    return load_comparison(path)


def taught(model, budget, comparison=None):
    comparison = comparison or load_comparison(SHIPPED)
    return list(objectives(comparison, load_params(ROOT / "params.yaml"), Trained(model, budget)))


def test_equal_time_takes_the_same_minutes_from_every_model():
    comparison = load_comparison(SHIPPED)
    for model, parts in comparison.models.items():
        steps = comparison.steps_of(model, "equal_time")
        seconds = sum(steps[name] * part.seconds for name, part in parts.items())
        assert seconds == pytest.approx(60 * comparison.minutes, rel=0.01), model


def test_equal_steps_are_equal():
    comparison = load_comparison(SHIPPED)
    assert {sum(comparison.steps_of(model, "equal_steps").values()) for model in comparison.models} == {
        comparison.steps
    }


def test_dvc_trains_every_model_of_the_file():
    stages = yaml.safe_load((SHIPPED.parent / "dvc.yaml").read_text())["stages"]
    assert stages["train"]["matrix"]["model"] == list(load_comparison(SHIPPED).models)


@pytest.mark.parametrize("budget", BUDGETS)
def test_sft_dec_goes_through_its_stages_with_its_own_losses(budget):
    ours, base = taught("sft_dec", budget), load_params(ROOT / "params.yaml").train
    assert [objective.stage.guided_by_truth for objective in ours] == [True, False, False]
    for objective, own in zip(ours, (base.s1, base.s2, base.s3), strict=True):
        assert (objective.params.loss, objective.params.learning_rate) == (own.loss, own.learning_rate)
        assert objective.params.keep == "last"


def test_every_rate_is_the_best_of_its_trial_and_none_at_an_end_of_it():
    trial = pd.read_csv(SHIPPED.parent / "rates.csv")
    models = load_comparison(SHIPPED).models
    assert set(trial["model"]) == set(models) - {OURS}
    for model, rows in trial.groupby("model"):
        rated = rows.set_index("rate")
        (chosen,) = rated.index[rated["chosen"]]
        assert min(rated.index) < chosen < max(rated.index), model
        assert {part.learning_rate for part in models[model].values()} == {chosen}, model
        deblurs = rated["validation_psnr"].nunique() > 1
        best = rated["validation_psnr"].idxmax() if deblurs else rated["validation_mae"].idxmin()
        assert chosen == best, model


def test_the_short_schedule_keeps_loss_and_optimiser_and_falls_once_from_the_given_rate():
    (found,) = taught("nafnet32", "equal_time")
    assert isinstance(found, PeerObjective)
    published, part = RECIPES["nafnet32"][0], load_comparison(SHIPPED).models["nafnet32"]["nafnet32"]
    assert (found.recipe.optimiser, found.recipe.betas) == (published.optimiser, published.betas)
    assert found.common.gradient_clip == published.gradient_clip
    steps = found.params.steps
    assert max(found.rate(step, steps) for step in range(steps)) == pytest.approx(part.learning_rate, rel=0.01)
    assert found.rate(steps - 1, steps) < part.learning_rate / 1000


def test_the_published_schedule_is_the_authors(tmp_path):
    found = taught("mimo_unet", "equal_steps", changed(tmp_path, schedule="published"))
    assert [objective.recipe for objective in found] == list(RECIPES["mimo_unet"])


def with_models(models):
    return {"models": models}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (with_models({"resnet": {"resnet": {"seconds": 1}}}), r"models\.resnet: there is no such network, expected of"),
        (with_models({"ifan": {"ifun": {"seconds": 1}}}), r"models\.ifan: found the parts ifun, expected ifan"),
        (with_models({"ifan": {"ifan": {"seconds": 1}}}), r"models\.ifan\.ifan\.learning_rate: the key is missing"),
        (with_models({"ifan": {"ifan": {"share": 0.5, "seconds": 1}}}), r"models\.ifan: its parts' shares add up"),
        ({"minutes": 0}, r"minutes: found 0"),
        ({"minuets": 1}, r"minuets: there is no such key \(found 1\)"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, changes, message):
    with pytest.raises(ParamsError, match=message):
        changed(tmp_path, **changes)

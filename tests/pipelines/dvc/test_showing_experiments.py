"""Experiments that DVC sees once they are run in a checkout."""

import pytest

from pipelines.dvc.experiments import HIDDEN, hide_experiment, show_experiment
from pipelines.dvc.stages import run_dvc
from sftdec.lineage import stage_order
from tests.pipelines.flows import commit, git, journal

FILE = "experiments/small/dvc.yaml"


@pytest.fixture
def hidden(experiment):
    """The project with its experiment, as a clone has it."""
    with (experiment / ".dvcignore").open("a") as file:
        file.write(f"{HIDDEN}\n")
    with (experiment / ".gitignore").open("a") as file:
        file.write("/experiments/.dvcignore\n")
    commit(experiment)
    return experiment


@pytest.mark.slow
def test_dvc_speaks_of_an_experiment_only_where_it_was_shown(hidden):
    def status():
        return "\n".join(run_dvc(["status"], hidden, lambda line: None))

    assert "fetch" in status() and "small" not in status()
    show_experiment(hidden, "small")
    assert any(stage.startswith(f"{FILE}:s2") for stage in stage_order(hidden, FILE))
    assert "experiments/small" in status() or FILE in status()
    assert not git(hidden, "status", "--porcelain")
    run_dvc(["repro", FILE], hidden, lambda line: None)
    assert {"fetch", "s1-plain-0", "s2-dec-1"} <= {*journal(hidden)}


def test_an_experiment_is_shown_once_beside_others(hidden):
    for _ in range(2):
        show_experiment(hidden, "small")
    assert (hidden / "experiments/.dvcignore").read_text() == "!/small/dvc.yaml\n"


@pytest.mark.slow
def test_dvc_no_longer_speaks_of_one_that_was_hidden_again(hidden):
    show_experiment(hidden, "small")
    hide_experiment(hidden, "small")
    assert "small" not in "\n".join(run_dvc(["status"], hidden, lambda line: None))


def test_where_nothing_is_hidden_nothing_is_written(experiment):
    show_experiment(experiment, "small")
    assert not (experiment / "experiments/.dvcignore").exists()


def test_an_unknown_experiment_is_named_with_those_there_are(hidden):
    with pytest.raises(ValueError, match="has no experiment smaller; it has small"):
        show_experiment(hidden, "smaller")
    with pytest.raises(ValueError, match="has no experiment smaller; it has small"):
        hide_experiment(hidden, "smaller")

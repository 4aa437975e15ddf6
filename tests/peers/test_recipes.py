"""The published schedules."""

from itertools import pairwise

import pytest
import torch

from sftdec.peers import PEERS, RECIPES, build_peer


def test_every_peer_has_a_recipe_and_later_ones_follow_on_earlier():
    assert set(RECIPES) == set(PEERS)
    for name, recipes in RECIPES.items():
        assert recipes[-1].name == name and recipes[0].after is None
        assert all(later.after == earlier.name for earlier, later in pairwise(recipes))


@pytest.mark.parametrize(
    ("name", "step", "rate"),
    [
        ("did_anet", 79, 1e-4),  # of 200 epochs
        ("did_anet", 80, 2e-5),
        ("did_anet", 199, 8e-7),
        ("dpdnet", 59, 2e-5),
        ("dpdnet", 180, 2.5e-6),
        ("ifan", 166, 1e-4),
        ("ifan", 184, 2.5e-5),
        ("mimo_unet", 34, 5e-5),
        ("nafnet64", 0, 1e-3),
        ("nafnet64", 100, 5e-4),
        ("mprnet", 0, 1e-4),  # half way up a warm-up of less than two steps
        ("dme_net", 50, 8e-5),
    ],
)
def test_rates_fall_where_they_were_published_to(name, step, rate):
    steps = 2000 if name == "mprnet" else 200
    found = RECIPES[name][-1].rate(step, steps)
    assert found == pytest.approx(rate if name != "mprnet" else 2e-4 / 3, rel=1e-3)


def test_did_anets_halves_are_trained_one_after_the_other_and_biases_do_not_decay():
    network = build_peer("did_anet", "small")
    learning = []
    for recipe in RECIPES["did_anet"]:
        recipe.prepare(network)
        learning.append({name for name, parameter in network.named_parameters() if parameter.requires_grad})
        groups = recipe.optimizer(network).param_groups
        assert sum(len(group["params"]) for group in groups) == len(learning[-1])
        assert [group["weight_decay"] for group in groups] == [4e-4, 0.0]
    assert learning[0] == {name for name, _ in network.named_parameters() if name.startswith("defocus_map")}
    assert learning[0] & learning[1] == set() and learning[0] | learning[1] == {
        n for n, _ in network.named_parameters()
    }


@pytest.mark.parametrize(("name", "kind"), [("nafnet32", torch.optim.AdamW), ("ifan", torch.optim.RAdam)])
def test_optimizers_are_the_published_ones(name, kind):
    optimizer = RECIPES[name][0].optimizer(build_peer(name, "small"))
    assert type(optimizer) is kind and optimizer.param_groups[0]["lr"] == RECIPES[name][0].learning_rate

"""Weights under their authors' names run here as there."""

import argparse

import h5py
import numpy as np
import pytest
import torch

from sftdec.peers import PublishedWeightsError, load_published
from tests.peers import original_forwards as forwards
from tests.peers import original_names as names

TABLES = {
    "did_anet": names.did_anet,
    "dpdnet": names.dpdnet,
    "ifan": names.ifan,
    "mprnet": names.mprnet,
    "mimo_unet": lambda: names.mimo_unet(8),
    "mimo_unet_plus": lambda: names.mimo_unet(20),
    "nafnet32": lambda: names.nafnet(32),
    "nafnet64": lambda: names.nafnet(64),
    "dme_net": names.dme_net,
}
TRAINING_ALONE = ("discriminator/", "main_net/binary_net/", "main_net/defocus_net/encoder/c")  # of DME-Net


def picture(height=16, width=32):
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(5))


def restored(network, x):
    with torch.no_grad():
        return network(x)


def near(found, expected):
    assert expected.std() > 0.01, "says nothing"
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", TABLES)
def test_every_tensor_of_a_release_finds_its_place_once_and_none_is_left_over(name):
    table = TABLES[name]()
    marked = {key: torch.full(shape, float(number)) for number, (key, shape) in enumerate(table.items())}
    shared = [key for key in marked if name == "mprnet" and key.endswith("body.1.weight") and table[key] == (1,)]
    marked.update({key: torch.full((1,), -1.0) for key in shared})  # one parameter, saved under many names
    network = load_published(name, {"state_dict": {f"module.{key}": tensor for key, tensor in marked.items()}})
    found = [float(tensor.flatten()[0]) for tensor in network.state_dict().values()]
    left_out = [
        key for key in table if key.startswith(TRAINING_ALONE) and ("encoder/conv" not in key or "conv6" in key)
    ]
    expected = {float(tensor.flatten()[0]) for key, tensor in marked.items() if key not in left_out}
    assert sorted(found) == sorted(expected)
    assert all(bool((tensor == tensor.flatten()[0]).all()) for tensor in network.state_dict().values())


def test_did_anet_computes_what_its_release_does(tmp_path):
    weights = names.random_weights(names.did_anet())
    path = tmp_path / "model_best.pth.tar"
    torch.save({"epoch": 3, "arch": "deblurnetde", "state_dict": weights, "best_EPE": 0.1}, path)
    made = restored(load_published("did_anet", path, sigma_max=5.0), picture())
    defocus, deblurred = forwards.did_anet(weights, picture())
    near(made.defocus, defocus)
    near(made.deblurred, deblurred)


def test_nafnet_computes_what_its_release_does():
    weights = names.random_weights(names.nafnet(32))
    made = restored(load_published("nafnet32", {"params": weights}), picture())
    near(made.deblurred, forwards.nafnet(weights, picture()))


def test_mimo_unet_computes_what_its_release_does():
    weights = names.random_weights(names.mimo_unet(8))
    scaled = {key: tensor * (0.1 if "layers" in key else 1) for key, tensor in weights.items()}
    made = restored(load_published("mimo_unet", {"model": scaled, "epoch": 1}), picture())
    for found, expected in zip(made.stages, forwards.mimo_unet(scaled, picture(), 8), strict=True):
        near(found, expected)


def test_mprnet_computes_what_its_release_does():
    weights = names.random_weights(names.mprnet())
    scaled = {key: tensor * (0.5 if tensor.ndim == 4 else 1) for key, tensor in weights.items()}
    made = restored(load_published("mprnet", {"epoch": 3, "state_dict": scaled}), picture())
    for found, expected in zip(reversed(made.stages), forwards.mprnet(scaled, picture()), strict=True):
        near(found, expected)


def test_ifan_computes_what_its_release_does():
    table = {name: shape for name, shape in names.ifan().items() if name.startswith("Network.")}  # none to reblur
    weights = names.random_weights(table)
    weights["Network.F.3.weight"] *= 0.3  # 17 rounds of filters that would grow without bounds
    network = load_published("ifan", {f"module.{name}": tensor for name, tensor in weights.items()})
    made, (deblurred, filters) = restored(network, picture()), forwards.ifan(weights, picture())
    near(made.deblurred, deblurred)
    near(made.stages[0], filters)
    assert network.reblurring is None


def test_dpdnet_takes_rgb_and_computes_what_its_release_does_with_bgr(tmp_path):
    first = 25  # Keras counts on where a session has made layers before
    weights = names.random_weights(names.dpdnet(first))
    path = tmp_path / "single.hdf5"
    with h5py.File(path, "w") as file:
        for name, tensor in weights.items():
            file[f"model_weights/{name}"] = tensor.numpy()
        file["optimizer_weights/Adam/iterations:0"] = 5
    made = restored(load_published("dpdnet", path), picture())
    near(made.deblurred, forwards.dpdnet(weights, picture().flip(1), first).flip(1))


def test_dme_net_computes_what_its_release_does_and_reads_its_circles_as_sigma(tmp_path):
    weights = names.random_weights(names.dme_net())
    path = tmp_path / "DMENet_BDCS.npz"
    np.savez(path, **{name: tensor.numpy() for name, tensor in weights.items()})
    network = load_published("dme_net", path)
    made, circles = restored(network, picture()), forwards.dme_net(weights, picture())
    near(made.stages[0], circles)
    near(made.defocus, ((15 * circles - 1) / 2).clamp(min=0) / 7)
    assert network.config.sigma_max == 7 and torch.equal(made.deblurred, picture())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda weights: weights.pop("conv03b.bias"),
            r"no tensors for what is called here last\.bias; expected model_",
        ),
        (lambda weights: weights.update(conv04c=torch.zeros(3)), "unknown tensors conv04c; expected model_best"),
        (
            lambda weights: weights.update({"conv03b.bias": torch.zeros(4)}),
            r"conv03b\.bias \(last\.bias here\) is of sh",
        ),
    ],
)
def test_tensors_that_do_not_fit_are_named(change, message):
    weights = {name: torch.zeros(shape) for name, shape in names.did_anet().items()}
    change(weights)
    with pytest.raises(PublishedWeightsError, match=message):
        load_published("did_anet", weights)


def test_copies_of_one_parameter_that_differ_are_named():
    weights = {name: torch.zeros(shape) for name, shape in names.mprnet().items()}
    weights["shallow_feat2.1.body.1.weight"] += 1
    with pytest.raises(PublishedWeightsError, match="differ, though they are one parameter"):
        load_published("mprnet", weights)


def test_a_file_that_could_run_code_is_not_opened(tmp_path):
    torch.save({"state_dict": {}, "arguments": argparse.Namespace(epochs=3)}, tmp_path / "best.pth")
    with pytest.raises(
        PublishedWeightsError, match=r"best\.pth: found argparse\.Namespace in it, expected tensors alone"
    ):
        load_published("mprnet", tmp_path / "best.pth")


@pytest.mark.parametrize("name", ["cut.npz", "cut.pth", "cut.hdf5"])
def test_a_damaged_or_missing_file_is_named_with_where_it_is_from(name, tmp_path):
    with pytest.raises(PublishedWeightsError, match="there is no such file; expected DMENet_BDCS"):
        load_published("dme_net", tmp_path / name)
    (tmp_path / name).write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(PublishedWeightsError, match=f"{name}: .*DMENet_BDCS"):
        load_published("dme_net", tmp_path / name)


def test_an_unknown_network_is_refused():
    with pytest.raises(PublishedWeightsError, match="found 'restormer', expected one of did_anet, dpdnet"):
        load_published("restormer", {})


@pytest.mark.parametrize("content", [b"junk", b"junk\n", b"", b"PK\x03\x04junk"])
def test_a_file_that_is_none_of_its_kind_is_told_in_a_sentence(tmp_path, content):
    (tmp_path / "model.pth").write_bytes(content)
    with pytest.raises(PublishedWeightsError, match=r"model\.pth: can't be read .*download it again"):
        load_published("mprnet", tmp_path / "model.pth")

"""What every peer must be able to do, at its size for CPUs."""

import io

import numpy as np
import pytest
import torch

from sftdec.evaluation.evaluate import evaluate_network, summarise
from sftdec.params.network import ConfigError
from sftdec.peers import PEERS, RECIPES, DIDANet, Truth, build_peer
from tests.evaluation.scenes import make_scene

PUBLISHED = {  # millions of parameters
    "did_anet": 5.213,
    "dpdnet": 31.033,
    "ifan": 10.48,
    "mprnet": 20.1,
    "mimo_unet": 6.8,
    "mimo_unet_plus": 16.1,
    "nafnet32": 17.1,
    "nafnet64": 67.9,
    "dme_net": 26.7,
}
WIDER = ("mimo_unet_plus", "nafnet64")  # than another of the same layers


@pytest.fixture(params=PEERS)
def network(request):
    """A small peer, its weights of 0 moved so that no part starts as the identity."""
    made = build_peer(request.param, "small", seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for parameter in made.parameters():
            if parameter.ndim == 4 and not parameter.any():
                parameter.uniform_(-0.1, 0.1, generator=generator)
    return made


def truth(count=2, side=32):
    generator = torch.Generator().manual_seed(3)
    sharp = torch.rand(count, 3, side, side, generator=generator)
    blurred = torch.nn.functional.avg_pool2d(sharp, 3, stride=1, padding=1, count_include_pad=False)
    return Truth(blurred, sharp, torch.rand(count, 1, side, side, generator=generator))


def loss_of(network, scene):
    torch.manual_seed(4)  # the same features are dropped each time
    return network.loss(network(scene.blurred), scene)


def test_published_sizes_have_the_published_numbers_of_parameters():
    assert set(PUBLISHED) == set(PEERS)
    with torch.device("meta"):
        for name, millions in PUBLISHED.items():
            network = build_peer(name, "published")
            assert network.parameter_count() / 1e6 == pytest.approx(millions, rel=0.01), name
    assert sum(each.numel() for each in network.encoder.parameters()) / 1e6 == pytest.approx(20.024, rel=1e-4)


def test_small_sizes_are_small(network):
    assert 0.19e6 < network.parameter_count() < 1e6


def test_gradients_of_the_own_loss_reach_every_parameter(network):
    network.train()
    for module in network.modules():
        if hasattr(module, "variance"):
            module.eval()  # by a batch's own mean a bias before it makes no difference
    loss_of(network, truth()).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_one_step_of_the_own_optimizer_lowers_the_own_loss(network, request):
    name, scene = request.node.callspec.params["network"], truth()
    recipe = RECIPES[name][-1]
    recipe.prepare(network)
    optimizer = recipe.optimizer(network.train())
    for group in optimizer.param_groups:
        group["lr"] *= 0.1  # Adam's first step is its largest, whatever the gradient
    before = loss_of(network, scene)
    before.backward()
    optimizer.step()
    assert loss_of(network, scene) < before


@pytest.mark.parametrize("size", [(16, 16), (17, 35)])
def test_any_height_and_width_from_16_px_give_pictures_of_that_size(network, size):
    with torch.no_grad():
        restored = network.eval()(torch.rand(1, 3, *size))
    assert restored.deblurred.shape == (1, 3, *size) and restored.deblurred.isfinite().all()
    maps = isinstance(network, DIDANet) or network.estimates_map
    assert restored.defocus.shape == (1, 1, *size) if maps else restored.defocus is None
    with pytest.raises(ValueError, match="N×3×H×W with H, W >= 16"):
        network(torch.rand(1, 3, 15, 40))


def test_bf16_trains_and_gives_nearly_what_fp32_gives(network):
    scene = truth()
    exact = network.eval()(scene.blurred)
    with torch.autocast("cpu", torch.bfloat16):
        coarse = network(scene.blurred)
        loss = network.loss(coarse, scene)
    loss.backward()
    assert float(loss.detach()) == pytest.approx(float(network.loss(exact, scene).detach()), rel=0.05)
    assert (coarse.deblurred.float() - exact.deblurred).abs().mean() < 0.02
    assert all(parameter.grad.isfinite().all() for parameter in network.parameters() if parameter.grad is not None)


class Pictures(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, blurred):
        restored = self.network(blurred)
        return restored.deblurred if restored.defocus is None else (restored.deblurred, restored.defocus)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # the exporter says what it takes for constant and what it does not fold
@pytest.mark.parametrize("network", [name for name in PEERS if name not in WIDER], indirect=True)
def test_onnx_computes_the_same(network):
    pytest.importorskip("onnx", reason="the export wants onnx, which is not installed")
    runtime = pytest.importorskip("onnxruntime", reason="an exported network is run by onnxruntime: not installed")
    pictures, blurred, file = Pictures(network).eval(), truth(1).blurred, io.BytesIO()
    torch.onnx.export(pictures, (blurred,), file, dynamo=False, opset_version=18, input_names=["blurred"])
    found = runtime.InferenceSession(file.getvalue()).run(None, {"blurred": blurred.numpy()})
    with torch.no_grad():
        made = pictures(blurred)
    for one, other in zip(found, made if isinstance(made, tuple) else (made,), strict=True):
        np.testing.assert_allclose(one, other.numpy(), atol=1e-3)


def test_equal_seeds_give_equal_networks():
    first, second, other = (build_peer("mprnet", "small", seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not torch.equal(first.tail.weight, other.tail.weight)


@pytest.mark.parametrize(("name", "size"), [("restormer", "small"), ("ifan", "paper")])
def test_an_unknown_name_or_size_is_refused(name, size):
    with pytest.raises(ConfigError, match=f"found .*'{name if size == 'small' else size}', expected"):
        build_peer(name, size)


def test_a_network_without_a_map_is_evaluated_without_one():
    scene = make_scene()
    table = evaluate_network(build_peer("nafnet32", "small").eval(), [scene])
    assert np.isnan(table.loc[0, ["mae", "mse"]].to_numpy(float)).all() and np.isfinite(table.loc[0, "mae_constant"])
    assert "mae" not in summarise(table)["sample"] and "psnr" in summarise(table)["sample"]


def test_a_network_that_only_estimates_a_map_leaves_the_picture_as_it_is():
    row = evaluate_network(build_peer("dme_net", "small", sigma_max=4.0).eval(), [make_scene()]).iloc[0]
    assert row["psnr"] == row["psnr_blurred"] and np.isfinite(row["mae"])

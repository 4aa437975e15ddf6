"""The network: shapes, identity at the start, gradients, sizes, and weights that explain themselves."""

import pytest
import torch
from safetensors.torch import save_file

from sftdec.networks import WeightsError, build_network, load_into, load_weights, save_weights
from sftdec.networks.sft import DecomposedMap, SFTLayer
from sftdec.params.network import MODULATIONS, ConfigError, NetworkConfig

TINY = {"features": 8, "blocks": 2, "dme_features": 8, "condition_features": 8, "sft_features": 8}


def network(seed=0, **changes):
    return build_network(NetworkConfig.of_size("small", **(TINY | changes)), seed)


def picture(height=32, width=40, count=1):
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("stem", [1, 2, 4])
@pytest.mark.parametrize("size", [(16, 16), (17, 16), (33, 51)])
def test_any_height_and_width_from_16_px_up_gives_pictures_of_that_size(modulation, stem, size):
    restored = network(modulation=modulation, stem=stem)(picture(*size, count=2))
    assert restored.deblurred.shape == (2, 3, *size) and restored.defocus.shape == (2, 1, *size)


@pytest.mark.parametrize("modulation", MODULATIONS)
@pytest.mark.parametrize("size", ["small", "paper"])
def test_an_untrained_network_returns_the_blurred_picture(modulation, size):
    blurred = picture(17, 19)
    restored = build_network(NetworkConfig.of_size(size, modulation=modulation, features=16, blocks=2))(blurred)
    assert torch.equal(restored.deblurred, blurred)


READINGS = (
    {"merge": True},
    {"spatial_kernel": 7},
    {"slope": 0.3},
    {"global_residual": False},
    {"map_init": 1.0},
    {"block_init": 1.0},
    {"dme_block_init": 1.0},
    {"dme_output_init": 1.0},
    {"dme_centre": 0.0},
    {"dme_relu": True},
)


@pytest.mark.parametrize("reading", READINGS, ids=str)
def test_each_reading_changes_what_the_network_computes(reading):
    plain, other = (network(output_init=1.0, **changes)(picture()) for changes in ({}, reading))
    assert not (torch.equal(plain.deblurred, other.deblurred) and torch.equal(plain.defocus, other.defocus))


def test_without_the_global_residual_the_network_makes_the_picture_itself():
    added = network(output_init=1.0)(picture()).deblurred - picture()
    assert torch.allclose(network(output_init=1.0, global_residual=False)(picture()).deblurred, added, atol=1e-6)


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_gradients_reach_every_parameter_that_can_matter(modulation):
    net = network(modulation=modulation, reduction=1)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) * 0.05)
    restored = net(picture())
    (restored.deblurred.square().sum() + restored.defocus.square().sum()).backward()
    assert [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0] == []


def test_the_given_map_guides_the_deblurring_and_the_returned_map_stays_the_estimate():
    net = network()
    with torch.no_grad():
        net.deblurring.last.weight.normal_(generator=torch.Generator().manual_seed(3))
    blurred = picture()
    own, sharp, far = net(blurred), net(blurred, torch.zeros(1, 1, 32, 40)), net(blurred, torch.ones(1, 1, 32, 40))
    assert not torch.allclose(sharp.deblurred, far.deblurred)
    assert torch.equal(own.defocus, far.defocus)


def test_the_paper_size_has_did_anets_two_networks_but_for_what_guides():
    net = build_network(NetworkConfig.of_size("paper", modulation="baseline"))
    assert sum(p.numel() for p in net.defocus_map_estimation.parameters()) == 334_721
    assert len(net.deblurring.blocks) == 16 and net.config.features == 128
    map_as_a_fourth_channel = 128 * 9
    assert sum(p.numel() for p in net.deblurring.parameters()) == 4_878_467 - map_as_a_fourth_channel


def sft_layer(**changes):
    """A layer, and what it transforms: features, a condition and its mean."""
    layer = SFTLayer(NetworkConfig.of_size("small", **(TINY | changes)))
    features, condition = torch.randn(2, 2, 8, 6, 7)
    return layer, features, condition, condition.mean((2, 3), keepdim=True)


def test_a_decomposed_map_is_an_outer_product_of_a_channel_and_a_spatial_part():
    part = DecomposedMap(NetworkConfig.of_size("small", **TINY, gamma_activation="sigmoid"))
    condition = torch.randn(1, 8, 9, 11)
    gamma = part(condition, condition.mean((2, 3), keepdim=True))[0].reshape(8, -1).detach()
    assert torch.linalg.matrix_rank(gamma, rtol=1e-4) == 1 and gamma.min() > 0 and gamma.max() < 1


@pytest.mark.parametrize("gamma", ["scale", "one_plus"])
@pytest.mark.parametrize("modulation", ["sft", "sft_dec", "sft_fdec"])
def test_the_layer_gives_gamma_times_features_plus_beta(modulation, gamma):
    layer, features, *guides = sft_layer(modulation=modulation, gamma=gamma)
    scale = layer.gamma(*guides) + (1 if gamma == "one_plus" else 0)
    assert torch.allclose(layer(features, *guides), scale * features + layer.beta(*guides), atol=1e-6)


@pytest.mark.parametrize(
    ("modulation", "gamma", "beta"),
    [("sft", False, False), ("sft_dec", True, False), ("sft_fdec", True, True)],
)
def test_each_modulation_decomposes_what_it_should(modulation, gamma, beta):
    layer, *_ = sft_layer(modulation=modulation)
    assert (isinstance(layer.gamma, DecomposedMap), isinstance(layer.beta, DecomposedMap)) == (gamma, beta)


@pytest.mark.parametrize("size", ["paper", "small"])
@pytest.mark.parametrize("modulation", ["sft", "sft_dec", "sft_fdec"])
def test_every_modulation_starts_by_letting_features_pass_as_they_are(modulation, size):
    net = build_network(NetworkConfig.of_size(size, modulation=modulation, blocks=2), seed=3)
    gammas, betas = [], []
    for layer in net.modules():
        if isinstance(layer, SFTLayer):
            layer.gamma.register_forward_hook(lambda part, given, made: gammas.append(made))
            layer.beta.register_forward_hook(lambda part, given, made: betas.append(made))
    with torch.no_grad():
        net(picture(count=4), torch.rand(4, 1, 32, 40))
    gamma, beta = torch.stack(gammas) + (net.config.gamma == "one_plus"), torch.stack(betas)
    assert abs(gamma.mean() - 1) < 0.1 and gamma.std() < 0.25
    assert abs(beta.mean()) < 0.1 and beta.std() < 0.25


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_without_gradients_the_result_is_the_same(modulation):
    net = network(modulation=modulation)
    with torch.no_grad():
        net.deblurring.last.weight.normal_(std=0.05, generator=torch.Generator().manual_seed(3))
        one_by_one = net(picture()).deblurred
    assert torch.allclose(net(picture()).deblurred, one_by_one, atol=1e-5)


def test_equal_seeds_give_equal_networks_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first, second, other = network(1), network(1), network(2)
    assert torch.equal(torch.rand(1), expected)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("shape", [(1, 3, 15, 40), (1, 1, 32, 32), (3, 32, 32)])
def test_a_picture_of_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match="N×3×H×W"):
        network()(torch.zeros(shape))


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"stem": 3}, "stem"),
        ({"blocks": 0}, "blocks"),
        ({"modulation": "film"}, "modulation"),
        ({"gamma": "x"}, "gamma"),
        ({"dme_dilations": (1, 2)}, "dme_dilations"),
        ({"sigma_max": 0}, "sigma_max"),
        ({"depth": 4}, "depth"),
        ({"gamma_activation": "relu"}, "gamma_activation"),
        ({"spatial_kernel": 4}, "spatial_kernel"),
        ({"slope": 1.0}, "slope"),
        ({"map_init": -0.1}, "map_init"),
        ({"dme_centre": 2.0}, "dme_centre"),
    ],
)
def test_an_impossible_configuration_names_the_key(changes, key):
    with pytest.raises(ConfigError, match=f"network.{key}"):
        NetworkConfig.of_size("small", **changes)
    with pytest.raises(ConfigError, match="small"):
        NetworkConfig.of_size("huge")


def test_weights_come_back_with_their_configuration_and_equal_networks_give_equal_bytes(tmp_path):
    net = network(4, modulation="sft_fdec")
    save_weights(net, tmp_path / "a.safetensors")
    save_weights(network(4, modulation="sft_fdec"), tmp_path / "b.safetensors")
    assert (tmp_path / "a.safetensors").read_bytes() == (tmp_path / "b.safetensors").read_bytes()
    loaded = load_weights(tmp_path / "a.safetensors")
    assert loaded.config == net.config and not loaded.training
    assert torch.equal(loaded(picture()).defocus, net(picture()).defocus)


@pytest.mark.parametrize("merge", [False, True])
def test_weights_of_before_a_field_stand_for_what_was_then(tmp_path, merge):
    net = network(merge=merge)
    save_weights(net, tmp_path / "a.safetensors")
    assert load_weights(tmp_path / "a.safetensors").config == net.config
    assert ("merge" in net.config.to_json()) is merge  # so that files, and their checksums, stay as they were


def test_weights_remember_the_crop_they_were_trained_on_where_it_is_known(tmp_path):
    net = network()
    save_weights(net, tmp_path / "unknown.safetensors")
    net.training_crop = 88
    for name in ("known", "again"):
        save_weights(net, tmp_path / f"{name}.safetensors")
    assert load_weights(tmp_path / "unknown.safetensors").training_crop is None
    loaded = load_weights(tmp_path / "known.safetensors")
    assert loaded.training_crop == 88 and loaded.config == net.config
    assert (tmp_path / "known.safetensors").read_bytes() == (tmp_path / "again.safetensors").read_bytes()
    load_into(network(), tmp_path / "known.safetensors")


def old_file(net, path):
    """A file as it was written until November 2026: the layers side by side, what reads the condition as one."""
    tensors, wide = {}, {}
    for name, tensor in net.state_dict().items():
        parts = name.split(".")
        if len(parts) < 6:
            tensors[name] = tensor
            continue
        *_, block, sft, part, layer, kind = parts
        place = 2 * int(block) + (sft == "second_sft")
        if layer in ("first", "squeeze", "spatial"):
            wide.setdefault(f"deblurring.modulation.{part}.{layer}.{kind}", {})[place] = tensor
        else:
            tensors[f"deblurring.modulation.{part}.{layer}.{place}.{kind}"] = tensor
    tensors |= {name: torch.cat([own[place] for place in sorted(own)]) for name, own in wide.items()}
    save_file(tensors, path, metadata={"sftdec": net.config.to_json()})


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_a_file_of_before_the_blocks_owned_their_layers_loads(tmp_path, modulation):
    net = network(modulation=modulation, blocks=6)  # places of two digits
    old_file(net, tmp_path / "old.safetensors")
    loaded = load_weights(tmp_path / "old.safetensors").state_dict()
    assert loaded.keys() == net.state_dict().keys()
    assert all(torch.equal(loaded[name], tensor) for name, tensor in net.state_dict().items())


def test_weights_of_another_architecture_name_the_difference(tmp_path):
    save_weights(network(modulation="sft"), tmp_path / "sft.safetensors")
    with pytest.raises(WeightsError, match=r"sft\.safetensors.*modulation='sft' \(expected 'sft_dec'\)"):
        load_into(network(), tmp_path / "sft.safetensors")


def test_weights_that_are_missing_cut_short_or_foreign_are_refused_by_name(tmp_path):
    with pytest.raises(WeightsError, match="no such weights file"):
        load_weights(tmp_path / "none.safetensors")
    save_weights(network(), tmp_path / "whole.safetensors")
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "whole.safetensors").read_bytes()[:-100])
    with pytest.raises(WeightsError, match="found a folder, expected a weights file"):
        load_weights(tmp_path)
    with pytest.raises(WeightsError, match="cut short"):
        load_weights(tmp_path / "cut.safetensors")
    save_file({"w": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    with pytest.raises(WeightsError, match="without an SFT-Dec configuration"):
        load_weights(tmp_path / "foreign.safetensors")
    save_file({"w": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata={"sftdec": '{"size": "small"}'})
    with pytest.raises(WeightsError, match="configuration can't be read"):
        load_weights(tmp_path / "odd.safetensors")
    config = network().config.to_json()
    for text in ("[]", config.replace("{", '{"training_crop": "x", ', 1)):
        save_file({"w": torch.zeros(1)}, tmp_path / "odd.safetensors", metadata={"sftdec": text})
        with pytest.raises(WeightsError, match="configuration can't be read"):
            load_weights(tmp_path / "odd.safetensors")
    save_file({"w": torch.zeros(1)}, tmp_path / "other.safetensors", metadata={"sftdec": config})
    with pytest.raises(WeightsError, match=r"tensor .* expected"):
        load_weights(tmp_path / "other.safetensors")


def test_bf16_stays_near_fp32():
    net = network()
    with torch.no_grad():
        net.deblurring.last.weight.normal_(std=0.05, generator=torch.Generator().manual_seed(3))
        exact = net(picture()).deblurred
        with torch.autocast("cpu", torch.bfloat16):
            rounded = net(picture()).deblurred.float()
    assert 0 < (exact - rounded).abs().max() < 0.1

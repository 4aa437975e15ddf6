"""Activation checkpointing: the same network and gradients from less memory."""

import copy

import pytest
import torch

from sftdec.networks import build_network
from sftdec.params.network import MODULATIONS, NetworkConfig


def network(modulation, **changes):
    sizes = {"features": 8, "blocks": 4, "dme_features": 8, "condition_features": 8, "sft_features": 8, "reduction": 1}
    net = build_network(NetworkConfig.of_size("small", modulation=modulation, **(sizes | changes)))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=torch.Generator().manual_seed(2)) * 0.05)
    return net.train()


def restore(net):
    return net(torch.rand(2, 3, 32, 40, generator=torch.Generator().manual_seed(1)))  # features of 16×20


def gradients(net):
    restored = restore(net)
    (restored.deblurred.square().sum() + restored.defocus.square().sum()).backward()
    return {name: parameter.grad for name, parameter in net.named_parameters()}


def bytes_kept(net):
    """Bytes that autograd keeps from forward to backward, each storage once, parameters left out."""
    kept = {}
    weights = {parameter.untyped_storage().data_ptr() for parameter in net.parameters()}

    def pack(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        restored = restore(net)
        del restored
    return sum(kept.values())


@pytest.mark.parametrize("gamma_activation", ["linear", "sigmoid"])
@pytest.mark.parametrize("modulation", MODULATIONS)
def test_checkpointing_changes_neither_result_nor_gradients(modulation, gamma_activation):
    plain = network(modulation, gamma_activation=gamma_activation)
    checkpointed = network(modulation, gamma_activation=gamma_activation)
    checkpointed.checkpoint_activations = True
    assert torch.allclose(restore(checkpointed).deblurred, restore(plain).deblurred, atol=1e-5)
    expected, found = gradients(plain), gradients(checkpointed)
    for name, gradient in expected.items():
        assert torch.allclose(found[name], gradient, rtol=1e-4, atol=1e-5 * float(gradient.abs().max())), name


@pytest.mark.parametrize("modulation", MODULATIONS)
def test_a_further_checkpointed_block_keeps_its_input_alone_and_no_gamma_or_beta(modulation):
    few, many = network(modulation), network(modulation, blocks=6)
    plain = bytes_kept(many) - bytes_kept(few)
    few.checkpoint_activations = many.checkpoint_activations = True
    features = 2 * 8 * 16 * 20 * 4  # bytes of N×C×h×w
    assert bytes_kept(many) - bytes_kept(few) == 2 * features
    assert plain >= 2 * (2 if modulation == "baseline" else 6) * features


def test_checkpointing_leaves_what_runs_without_gradients_alone():
    net = network("sft_dec")
    with torch.no_grad():
        expected = restore(net.eval()).deblurred
        net.checkpoint_activations = True
        assert torch.equal(restore(net.train()).deblurred, expected)


def test_a_checkpointed_network_survives_a_copy_and_mixed_precision():
    net = network("sft_dec")
    net.checkpoint_activations = True
    assert copy.deepcopy(net).checkpoint_activations
    with torch.autocast("cpu", torch.bfloat16):
        restored = restore(net)
    restored.deblurred.float().sum().backward()
    assert all(parameter.grad is not None for parameter in net.deblurring.blocks.parameters())

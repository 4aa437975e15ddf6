"""Where a network computes, in what precision, and how exactly."""

import os

import pytest
import torch

from sftdec.runtime import compute_exactly, devices, mixed, training_dtype

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    threads = torch.get_num_threads()
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    yield
    compute_exactly(threads)


@pytest.mark.parametrize(
    ("exact", "deterministic", "warns", "benchmark"),
    [("auto", True, True, False), (True, True, False, False), (False, False, False, True)],
)
def test_exactness_is_a_choice(exact, deterministic, warns, benchmark):
    compute_exactly(1, exact)
    assert torch.are_deterministic_algorithms_enabled() == deterministic
    assert torch.is_deterministic_algorithms_warn_only_enabled() == warns
    assert torch.backends.cudnn.benchmark == benchmark
    assert ("CUBLAS_WORKSPACE_CONFIG" in os.environ) == deterministic


@pytest.mark.parametrize(
    ("device", "has", "precision", "dtype"),
    [
        (CPU, True, "bf16", torch.bfloat16),
        (CPU, False, "bf16", torch.float32),
        (CUDA, True, "bf16", torch.bfloat16),
        (CUDA, True, "fp32", torch.float32),
        (CUDA, False, "fp32", torch.float32),
    ],
)
def test_a_network_trains_in_what_the_hardware_has(monkeypatch, device, has, precision, dtype):
    monkeypatch.setattr(devices, "has_bf16", lambda device: has)
    assert training_dtype(device, precision) == dtype


def test_a_gpu_without_bf16_trains_in_float16_and_says_so(monkeypatch):
    monkeypatch.setattr(devices, "has_bf16", lambda device: False)
    with pytest.warns(UserWarning, match=r"precision bf16: cuda:0 has none .*float16 is used"):
        assert training_dtype(CUDA, "bf16") == torch.float16


def test_float32_on_a_gpu_is_no_tf32():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    mixed(CUDA, torch.float32)
    assert not torch.backends.cuda.matmul.allow_tf32 and not torch.backends.cudnn.allow_tf32


@pytest.mark.parametrize("name", ["mps", "meta", "xpu:0", "tpu"])
def test_what_is_neither_a_cpu_nor_a_cuda_device_is_refused(name):
    with pytest.raises(devices.DeviceError, match=rf"device '{name}' .*; expected auto, cpu or cuda\[:n\]"):
        devices.choose_device(name)

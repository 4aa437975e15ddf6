"""One thin script a DVC stage."""

from sftdec.runtime import wait_passively

wait_passively()  # before a stage's script loads PyTorch

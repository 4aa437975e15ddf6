"""Threads wait passively wherever PyTorch is loaded by a stage or the command line."""

import os
import subprocess
import sys

import pytest


def policy(code, **environment):
    others = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, env=others | environment, check=True, capture_output=True, text=True).stdout.split()


@pytest.mark.parametrize(("given", "found"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_stages_wait_passively_unless_they_are_told_otherwise(given, found):
    before = "import sys, pipelines.stages, os; print(os.environ['OMP_WAIT_POLICY'], 'torch' in sys.modules)"
    assert policy(before, **given) == [found, "False"]


def test_the_command_line_waits_passively_and_has_not_loaded_pytorch_before():
    code = (
        "import os, sys, sftdec.cli as cli; print('torch' in sys.modules); cli._parser = lambda: sys.exit("
        "print(os.environ['OMP_WAIT_POLICY'])); cli.main([])"
    )
    assert policy(code) == ["False", "PASSIVE"]


def test_python_waits_passively_where_pytorch_is_not_there_yet():
    code = "import os; from sftdec import Deblurrer; print(os.environ.get('OMP_WAIT_POLICY'))"
    assert policy(code) == ["PASSIVE"]
    assert policy(code, OMP_WAIT_POLICY="ACTIVE") == ["ACTIVE"]
    assert policy(f"import torch; {code}") == ["None"]

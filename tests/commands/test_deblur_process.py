"""``deblur`` as a process: its streams, its names, its end, and what it imports."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from sftdec.cli import main
from tests.commands.pictures import names, photo


def in_a_process(folder: Path, weights: str, before: str = "") -> "subprocess.CompletedProcess[bytes]":
    """``deblur`` of ``in``, where standard output takes UTF-8 and nothing else."""
    code = f"{before}\nimport sys; from sftdec.cli import main\n"
    code += f"sys.exit(main(['deblur', 'in', '-o', 'out', '--model', {weights!r}, '--device', 'cpu']))"
    environment = os.environ | {"PYTHONIOENCODING": "utf-8:strict"}
    return subprocess.run([sys.executable, "-c", code], capture_output=True, cwd=folder, env=environment, check=False)


def told(weights: str) -> bytes:
    """All that is said where nothing goes wrong."""
    return f"sftdec: the model is {weights}\n".encode()


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems have no such names")
def test_a_name_that_is_no_text_is_printed_as_it_lies_and_the_rest_go_on(tmp_path, weights):
    strange = os.fsdecode(b"caf\xe9.png")
    for name in (strange, "caf\u00e9.png", "last.png"):
        photo(tmp_path / "in" / name)
    done = in_a_process(tmp_path, weights)
    assert (done.returncode, done.stderr) == (0, told(weights)) and len(names(tmp_path / "out")) == 3
    assert set(done.stdout.splitlines()) == {b"out/caf\xe9.png", "out/caf\u00e9.png".encode(), b"out/last.png"}


def test_a_closed_pipe_does_not_stop_the_batch(tmp_path, weights):
    for name in ("a.png", "b.png"):
        photo(tmp_path / "in" / name)
    closed = "import os; there, here = os.pipe(); os.close(there); os.dup2(here, {}); os.close(here)"
    done = in_a_process(tmp_path, weights, closed.format(1))
    assert (done.returncode, done.stderr) == (0, told(weights)) and names(tmp_path / "out") == ["a.png", "b.png"]
    (tmp_path / "in" / "0.png").write_bytes(b"nothing")
    for file in (tmp_path / "out").iterdir():
        file.unlink()
    assert in_a_process(tmp_path, weights, closed.format(2)).returncode == 1
    assert names(tmp_path / "out") == ["a.png", "b.png"]


@pytest.mark.slow
def test_ctrl_c_leaves_no_half_file_and_says_one_sentence(tmp_path, weights):
    for number in range(300):
        photo(tmp_path / "in" / f"{number:03d}.png", number)
    command = [sys.executable, "-m", "sftdec.cli", "deblur", str(tmp_path / "in"), "-o", str(tmp_path / "out")]
    started = subprocess.Popen(
        [*command, "--map", "--model", weights],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # a shell's background ignores it
    )
    while not (tmp_path / "out" / "000.png").exists() and started.poll() is None:
        time.sleep(0.01)
    os.kill(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=120)
    assert started.returncode == 130, said
    model, sentence = said.splitlines()
    assert model.startswith("sftdec: the model is ") and sentence.startswith("sftdec: stopped; ")
    found = list((tmp_path / "out").iterdir())
    assert 3 <= len(found) < 900 and not [path for path in found if path.name.startswith(".")]
    for path in found:
        Image.open(path).load()


def imported(*arguments: str) -> tuple[set[str], str]:
    """The modules that a command has imported at its end, and what it printed."""
    code = "import sys, atexit; atexit.register(lambda: print('\\n@', *sys.modules)); import sftdec.cli as c\n"
    code += f"sys.exit(c.main({list(arguments)}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    said, _, modules = done.stdout.rpartition("@")
    return set(modules.split()), said


def test_help_imports_nothing_that_takes_time():
    modules, said = imported("--help")
    assert "deblur" in said and "datasets" in said
    assert not modules & {"torch", "numpy", "pandas", "mlflow", "PIL", "cv2", "tqdm", "sftdec.networks"}


def test_deblurring_with_a_file_imports_neither_mlflow_nor_what_training_needs(tmp_path, weights):
    modules, said = imported("deblur", photo(tmp_path / "a.jpg"), "-o", str(tmp_path / "out"), "--model", weights)
    assert said.strip() == str(tmp_path / "out" / "a.jpg") and "torch" in modules
    heavy = {"mlflow", "prefect", "pandas", "albumentations", "sklearn", "skimage", "scipy", "matplotlib", "dvc"}
    assert not modules & heavy


@pytest.mark.parametrize("command", [["datasets"], ["deblur", "--help"]])
def test_an_encoding_without_our_letters_stops_nothing(command):
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "sftdec.cli", *command], env=environment, capture_output=True)
    assert done.returncode == 0 and done.stdout and not done.stderr, done.stderr


def test_ctrl_c_ends_any_command_in_a_word(monkeypatch, capsys):
    def stop(_):
        raise KeyboardInterrupt

    monkeypatch.setattr("sftdec.cli.needs_extra", lambda *_, **__: stop(None))
    assert main(["datasets"]) == 130 and capsys.readouterr().err == "sftdec: stopped\n"

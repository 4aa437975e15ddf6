"""What ``pip install .`` brings: enough for ``sftdec deblur``, and a sentence for what needs more."""

import os
import re
import shlex
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest

from sftdec import __version__
from sftdec.cli import main
from sftdec.runtime.extras import INSTALLED_AS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
ALONE = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
PAGE = {".css", ".js"}  # of sftdec demo
PACKAGES = 20  # with pip, setuptools and sftdec itself; half of them are PyTorch's
WITH_TORCH = {"filelock", "jinja2"}  # packages of extras that PyTorch brings anyway
REFUSING = """
import sys
from sftdec.cli import main

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Refusing())
sys.exit(main(sys.argv[1:]))
"""


@dataclass(frozen=True)
class Base:
    """A virtual environment with the base package alone, and a folder with photos to work in."""

    python: Path
    folder: Path

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run(self.python.with_name(arguments[0]), *arguments[1:], cwd=self.folder)


def run(*command: str | Path, cwd: Path | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a program as it is in a shell of its own: this process's Python path would show it this checkout."""
    return subprocess.run(command, cwd=cwd, env=ALONE, capture_output=True, text=True, timeout=900)


def photos(folder: Path) -> Path:
    """A JPEG, a PNG, a WebP and a TIFF and a PNG of 16 bits."""
    folder.mkdir(exist_ok=True)
    coarse = np.random.default_rng(0).integers(0, 256, (12, 16, 3), np.uint8)
    levels = cv2.resize(coarse, (128, 96), interpolation=cv2.INTER_CUBIC)
    for name in ("small.jpg", "flat.png", "web.webp"):
        cv2.imwrite(str(folder / name), levels)
    for name in ("sixteen.tif", "deep.png"):
        cv2.imwrite(str(folder / name), levels.astype(np.uint16) * 257)
    return folder


def names_of_extras(*extras: str) -> set[str]:
    """What these extras' packages are imported under."""
    imported_as = {distribution: name for name, distribution in INSTALLED_AS.items()}
    declared = {entry for extra in extras for entry in PROJECT["optional-dependencies"][extra]}
    packages = {re.split(r"[\[<>=]", entry)[0].lower().replace(".", "-") for entry in declared}
    return {imported_as.get(package, package.replace("-", "_")) for package in packages - WITH_TORCH}


def test_deblurring_with_every_option_needs_no_package_of_an_extra(tmp_path):
    photos(tmp_path / "photos")
    refused = names_of_extras("pipeline", "demo", "export", "cluster", "heic", "services")
    assert {"pandas", "pydantic", "ruamel", "mlflow", "scipy", "matplotlib", "onnx"} <= refused
    program = [sys.executable, "-c", REFUSING.format(refused=refused)]
    options = ["--map", "--compare", "--recursive", "--memory", "1", "--tile", "64", "--local-pooling", "88"]
    options += ["--strength", "0.5", "--only", "blurred"]
    weights = ["--model", str(ROOT / "src/sftdec/builtin/small.safetensors"), "--precision", "fp32", "--device", "cpu"]
    command = ["deblur", "photos", "-o", "out", *options, *weights]
    done = subprocess.run([*program, *command], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, f"sftdec: the model is {weights[1]}\n")
    assert {file.name for file in (tmp_path / "out").iterdir()} >= {"small.jpg", "sixteen.tif", "web_compare.png"}


def test_one_version_is_told_everywhere(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"sftdec {__version__}\n"
    assert f"\nversion: {__version__}\n" in (ROOT / "CITATION.cff").read_text("utf-8")
    newest = re.search(r"^## (\d\S*)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert newest and newest[1] == __version__


def test_the_floors_refuse_every_package_that_a_command_may_need_an_extra_for():
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    (refused,) = (each["forbidden_modules"] for each in configured if each["type"] == "forbidden")
    assert names_of_extras("pipeline", "demo", "export", "cluster", "heic") <= set(refused)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Base:
    folder = tmp_path_factory.mktemp("base")
    asking = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder / "asked", "lazy-loader"]
    asked = run(sys.executable, *asking)
    if asked.returncode:
        pytest.skip(f"no package index answers: {asked.stderr.strip().splitlines()[-1]}")
    parts = ["src", "pyproject.toml", "README.md", "LICENSE"]
    listed = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", *parts]
    for name in subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():  # a copy: building leaves files in the folder that it is done in
            (folder / "source" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "source" / name).write_bytes((ROOT / name).read_bytes())
    run(sys.executable, "-m", "venv", folder / "venv").check_returncode()
    base = Base(folder / "venv" / "bin" / "python", photos(folder / "work"))
    run(sys.executable, "-m", "build", "--outdir", folder, folder / "source").check_returncode()  # make release's way
    (wheel,) = folder.glob("*.whl")
    base.run("pip", "install", "-c", str(ROOT / "constraints.txt"), str(wheel)).check_returncode()
    return base


@pytest.mark.services
def test_the_wheel_holds_the_package_its_model_and_nothing_else(base):
    (wheel,) = base.folder.parent.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"sftdec"}
    assert {Path(name).suffix for name in names} <= {
        ".py",
        ".pyi",
        ".typed",
        ".jinja",
        ".jpg",
        ".safetensors",
        ".md",
        ".txt",
        "",
    } | PAGE
    assert wheel.stat().st_size < 6_000_000  # bytes; the model is 2 MB of them


@pytest.mark.services
def test_the_base_package_is_small(base):
    done = base.run("pip", "list", "--format=freeze")
    packages = {line.partition("==")[0].lower() for line in done.stdout.splitlines()}
    assert {"sftdec", "torch", "opencv-python-headless", "safetensors"} <= packages
    assert len(packages) <= PACKAGES, packages


@pytest.mark.services
def test_the_base_package_deblurs(base):
    assert base.run("sftdec", "--version").stdout == f"sftdec {__version__}\n"
    told = "import importlib.metadata, sftdec; print(importlib.metadata.version('sftdec'), sftdec.__file__)"
    assert base.run("python", "-c", told).stdout.startswith(f"{__version__} {base.python.parents[1]}")
    done = base.run("sftdec", "deblur", ".", "-o", "out", "--map", "--compare")
    assert (done.returncode, done.stderr) == (0, "sftdec: the model is builtin\n")
    for name in ("sixteen.tif", "deep.png", "deep_defocus.png"):
        assert cv2.imread(str(base.folder / "out" / name), cv2.IMREAD_UNCHANGED).dtype == np.uint16
    assert cv2.imread(str(base.folder / "out" / "small_compare.png")).ndim == 3
    done = base.run("sftdec", "deblur", "sixteen.tif", "web.webp", "-o", "other", "--format", "jpeg", "--quality", "80")
    assert done.stdout.split() == ["other/sixteen.jpg", "other/web.jpg"]
    program = (
        "import numpy, sftdec; print(sftdec.Deblurrer.load()(numpy.zeros((32, 48, 3), numpy.uint16)).image.dtype.name)"
    )
    assert base.run("python", "-c", program).stdout == "uint16\n"
    assert base.run("sftdec", "export", "builtin", "--format", "safetensors").stdout == "sft-dec.safetensors\n"


@pytest.mark.services
@pytest.mark.parametrize(
    ("command", "extra"),
    [
        ("evaluate --dataset sample", "pipeline"),
        ("evaluate --all", "pipeline"),
        ("datasets", "pipeline"),
        ("datasets check .", "pipeline"),
        ("promote --version 1 --reason why", "pipeline"),
        ("history", "pipeline"),
        ("drift .", "pipeline"),
        ("reproduce models:/sft-dec/1", "pipeline"),
        ("deblur small.jpg -o never --model models:/sft-dec@champion", "pipeline"),
        ("deblur small.jpg -o never --log-statistics seen.jsonl", "pipeline"),
        ("deblur small.jpg -o never --runtime onnxruntime", "export"),
        ("deblur small.jpg -o never --runtime openvino", "export"),
        ("export builtin", "export"),
        ("demo --no-browser", "demo"),
    ],
)
def test_a_command_whose_extra_is_missing_names_it_in_a_sentence(command, extra, base):
    (wheel,) = base.folder.parent.glob("*.whl")
    done = base.run("sftdec", *command.split())
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(
        rf"sftdec: .+ needs the extra {extra} \(\w+ is not installed\): "
        rf"pip install '{re.escape(str(wheel))}\[{extra}\]'\n",
        done.stderr,
    )
    assert not (base.folder / "never").exists()


@pytest.mark.services
def test_the_advice_that_is_given_installs_the_extra(base):
    advice = base.run("sftdec", "demo", "--no-browser").stderr.partition(": pip ")[2]
    done = base.run("pip", "--quiet", *shlex.split(advice), "-c", str(ROOT / "constraints.txt"))
    assert done.returncode == 0, done.stderr
    command = [base.python.with_name("sftdec"), "demo", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, cwd=base.folder, env=ALONE, stdout=subprocess.PIPE, text=True) as server:
        try:
            address = server.stdout.readline().split()[0]
            asking = urllib.request.build_opener(urllib.request.ProxyHandler({}))
            assert b"Built-in model" in asking.open(address, timeout=60).read()
            assert asking.open(f"{address}/models", timeout=60).read() == b'{"models":[],"message":""}'
        finally:
            server.terminate()

"""Which extra brings a package, and how it is installed, on the metadata that pip leaves beside a package."""

import ast
import json
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

from sftdec import __version__
from sftdec.runtime import MissingExtraError, needs_extra
from sftdec.runtime.extras import INSTALLED_AS, PROJECT, extras_with, install_command

ROOT = Path(__file__).parents[2]
BUNDLED = {"google": "onnx"}  # imported where the package that brings it is imported before


@pytest.fixture(scope="module")
def declared(tmp_path_factory):
    """The metadata that this checkout's pyproject.toml becomes."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    lines = [f"Metadata-Version: 2.4\nName: {project['name']}\nVersion: {__version__}"]
    lines += [f"Requires-Dist: {each}" for each in project["dependencies"]]
    for extra, packages in project["optional-dependencies"].items():
        lines += [f"Provides-Extra: {extra}", *(f'Requires-Dist: {each}; extra == "{extra}"' for each in packages)]
    folder = tmp_path_factory.mktemp("installed") / f"{PROJECT}-{__version__}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("\n".join(lines))
    return metadata.PathDistribution(folder)


def installed_from(folder: Path, origin: dict[str, object] | None) -> metadata.Distribution:
    """What pip remembers of where it had a package from."""
    folder.mkdir(exist_ok=True)
    if origin is not None:
        (folder / "direct_url.json").write_text(json.dumps(origin))
    return metadata.PathDistribution(folder)


@pytest.mark.parametrize(
    ("package", "extras"),
    [
        ("pandas", ["pipeline"]),
        ("skimage", ["pipeline"]),
        ("ruamel", ["pipeline"]),
        ("psutil", ["pipeline", "demo"]),
        ("onnx", ["export"]),
        ("psycopg2", ["services"]),
        ("distributed", ["cluster"]),
        ("torch", []),
        ("abacus", []),
    ],
)
def test_the_extra_of_a_package_is_read_from_the_metadata(package, extras, declared):
    assert extras_with(package, declared) == extras


def test_every_package_that_the_sources_import_is_declared_under_its_name(declared):
    files = [file for folder in ("src", "pipelines") for file in (ROOT / folder).rglob("*.py")]
    imported = {name for file in files for name in _imported(file)} - {
        *sys.stdlib_module_names,
        "sftdec",
        "pipelines",
        *BUNDLED,
    }
    base = {"PIL", "cv2", "lazy_loader", "numpy", "safetensors", "torch", "tqdm"}
    assert {name for name in imported - base if not {*extras_with(name, declared)} - {"dev"}} == set()
    distributions = metadata.packages_distributions()
    for name, distribution in INSTALLED_AS.items():
        if name in distributions:
            assert distribution in {found.lower().replace(".", "-") for found in distributions[name]}


def _imported(file: Path) -> set[str]:
    """The top-level names that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).partition(".")[0])
    return found


def test_an_extra_is_installed_from_where_the_project_was(tmp_path):
    checkout, wheel = tmp_path / "a checkout", tmp_path / "sftdec-0.1.0-py3-none-any.whl"
    checkout.mkdir()
    wheel.touch()
    folder = tmp_path / "sftdec-0.1.0.dist-info"
    for origin, expected in (
        (None, "pip install -e '.[demo]' in a checkout of sftdec"),
        ({"url": checkout.as_uri(), "dir_info": {"editable": True}}, f"pip install -e '{checkout}[demo]'"),
        ({"url": checkout.as_uri(), "dir_info": {}}, f"pip install '{checkout}[demo]'"),
        ({"url": wheel.as_uri(), "archive_info": {}}, f"pip install '{wheel}[demo]'"),
        ({"url": (tmp_path / "gone").as_uri(), "dir_info": {}}, "pip install -e '.[demo]' in a checkout of sftdec"),
        (
            {"url": "https://host/sftdec.git", "vcs_info": {"vcs": "git", "commit_id": "0123abc"}},
            "pip install 'sftdec[demo] @ git+https://host/sftdec.git@0123abc'",
        ),
    ):
        assert install_command("demo", installed_from(folder, origin)) == expected


def test_what_is_missing_is_told_with_its_extra_and_any_other_error_passes(declared, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(str(declared._path)).parent))
    for package in ("psutil", "onnx", "numpy"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=r"^evaluate needs the extra pipeline \(psutil is not installed\): pip"):
        _import("evaluate", "psutil")
    with pytest.raises(MissingExtraError, match=r"^demo needs the extra demo \(psutil is not installed\): pip"):
        _import("demo", "psutil", "demo")
    with pytest.raises(MissingExtraError, match="needs the extra export"):
        _import("demo", "onnx", "demo")
    with pytest.raises(ModuleNotFoundError, match="numpy"):
        _import("a base package", "numpy")
    with pytest.raises(ModuleNotFoundError, match="abacus"):
        _import("nobody's package", "abacus")


def _import(what: str, package: str, preferred: str = "") -> None:
    with needs_extra(what, preferred):
        __import__(package)

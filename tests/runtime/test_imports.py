"""Which files a module's run leads to, on a small package of its own."""

from pathlib import Path

import pytest

from sftdec.runtime.imports import Imports, below
from tests.files import write_files

LAZY = """\"\"\"A door.\"\"\"

from lazy_loader import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
"""
FILES = {
    "pipelines/__init__.py": '"""Only a word."""\n',
    "pipelines/start.py": "from sftdec.room import wanted\n",
    "src/sftdec/__init__.py": "def __getattr__(name):\n    from sftdec import heavy\n    return getattr(heavy, name)\n",
    "src/sftdec/heavy.py": "",
    "src/sftdec/room/__init__.py": LAZY,
    "src/sftdec/room/__init__.pyi": "from .one import wanted\nfrom .two import other\nfrom .inner.deep import found\n",
    "src/sftdec/room/one.py": "wanted = 1\n",
    "src/sftdec/room/two.py": "other = 2\n",
    "src/sftdec/room/inner/__init__.py": "from sftdec.room.two import other\n",
    "src/sftdec/room/inner/deep.py": "found = 3\n",
    "src/sftdec/room/page.jinja": "",
    "src/sftdec/room/templates/part.jinja": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_files(tmp_path, FILES)


def imports(project: Path) -> Imports:
    return Imports({"sftdec": project / "src", "pipelines": project})


def closure(project: Path, text: str) -> set[str]:
    """What one.py leads to, itself left out."""
    (project / "src/sftdec/room/one.py").write_text(text)
    found = imports(project).closure("sftdec.room.one")
    return {path.relative_to(project / "src/sftdec").as_posix() for path in found} - {"room/one.py"}


def test_a_door_leads_by_a_name_to_its_module_alone(project):
    found = imports(project).closure("pipelines.start")
    assert {path.relative_to(project).as_posix() for path in found} == {
        "pipelines/start.py",
        "src/sftdec/room/one.py",
    }


@pytest.mark.parametrize(
    "text",
    [
        "from sftdec.room import other\n",
        "from sftdec.room.two import other\n",
        "import sftdec.room.two\n",
        "from sftdec.room import two\n",
        "from . import two\n",
        "from .two import other\n",
        "def late():\n    from sftdec.room import other\n",
        'NAMES = {"two": "sftdec.room.two"}\n',
    ],
)
def test_an_import_is_followed_however_it_is_written(project, text):
    assert closure(project, text) == {"room/two.py"}


@pytest.mark.parametrize("text", ["from sftdec import room\n", "import sftdec.room\n", "from sftdec.room import *\n"])
def test_a_door_that_is_imported_whole_leads_to_all_its_names(project, text):
    assert {"room/two.py", "room/inner/deep.py"} <= closure(project, text)


def test_what_only_a_type_checker_sees_is_not_followed(project):
    text = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from sftdec.room import other\n"
    assert closure(project, text) == set()


def test_a_package_that_imports_at_once_is_run_with_what_it_imports(project):
    assert closure(project, "from sftdec.room import found\n") == {
        "room/inner/__init__.py",
        "room/inner/deep.py",
        "room/two.py",
    }


def test_a_name_that_a_door_makes_itself_leads_through_it(project):
    assert closure(project, "from sftdec import Deblurrer\n") == {"__init__.py", "heavy.py"}


def test_files_beside_a_module_and_a_packages_pages_count(project):
    text = 'PAGE = "page.jinja"\nloader = PackageLoader("sftdec.room")\n'
    assert closure(project, text) == {"room/page.jinja", "room/templates/part.jinja"}


def test_an_import_that_does_not_count_ends_the_walk(project):
    (project / "src/sftdec/room/one.py").write_text("from sftdec.room import found\n")
    found = imports(project).closure("sftdec.room.one", lambda importer, imported: imported.name != "__init__.py")
    assert {path.name for path in found} == {"one.py", "deep.py"}


def test_an_unknown_module_is_named(project):
    with pytest.raises(ValueError, match=r"sftdec\.room\.none: found no such module"):
        imports(project).closure("sftdec.room.none")


def test_doors_and_words_are_no_source_of_results(project):
    room = project / "src/sftdec/room"
    assert {path.relative_to(room).as_posix() for path in below(room)} == {
        "one.py",
        "two.py",
        "inner/__init__.py",
        "inner/deep.py",
        "page.jinja",
        "templates/part.jinja",
    }

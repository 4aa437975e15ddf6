"""Lists of code in dvc.yaml: written from the imports, everything else left as it is."""

from pathlib import Path

import pytest

from pipelines.dvc.dependencies import differences, write
from tests.files import write_files

GIVEN = """# a pipeline
stages:
  first:
    cmd: python -m pipelines.stages.first --fast
    deps:
      - data # photos
      - src/sftdec/gone.py
    params: [train] # a section
    outs: [build/first]
  second:
    wdir: .
    cmd: python -m pipelines.stages.second
    deps:
      - build/first
    outs: [build/second]

plots: []
"""
WRITTEN = """# a pipeline
stages:
  first:
    cmd: python -m pipelines.stages.first --fast
    deps:
      - data # photos
      - pipelines/stages/first.py
      - src/sftdec/params/schema.py
      - src/sftdec/params/train.py
      - src/sftdec/room
    params: [train] # a section
    outs: [build/first]
  second:
    wdir: .
    cmd: python -m pipelines.stages.second
    deps:
      - build/first
      - pipelines/stages/second.py
      - src/sftdec/params/schema.py
      - src/sftdec/room/two.py
    outs: [build/second]

plots: []
"""
FILES = {
    "dvc.yaml": GIVEN,
    "pipelines/stages/first.py": "".join(
        f"import sftdec.{module}\n" for module in ("room.one", "room.two", "params.schema", "tracking.runs")
    ),
    "pipelines/stages/second.py": "import sftdec.room.two, sftdec.params.schema\n",
    "src/sftdec/params/schema.py": "import sftdec.params.train, sftdec.params.gate\n",
    "src/sftdec/params/train.py": "",
    "src/sftdec/params/gate.py": "",
    "src/sftdec/room/one.py": "",
    "src/sftdec/room/two.py": "",
    "src/sftdec/tracking/runs.py": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_files(tmp_path, FILES)


def test_code_is_written_and_data_comments_and_order_stay(project):
    write(project)
    assert (project / "dvc.yaml").read_text() == WRITTEN
    assert not list(differences(project))
    write(project)
    assert (project / "dvc.yaml").read_text() == WRITTEN


def test_a_difference_is_told_in_both_directions(project):
    write(project)
    file = project / "dvc.yaml"
    file.write_text(file.read_text().replace("      - src/sftdec/room\n", "      - src/sftdec/params/gate.py\n"))
    (found,) = differences(project)
    assert (found.stage, found.missing, found.superfluous) == (
        "first",
        ["src/sftdec/room"],
        ["src/sftdec/params/gate.py"],
    )


def test_a_list_in_one_line_is_refused(project):
    (project / "dvc.yaml").write_text(GIVEN.replace("deps:\n      - build/first", "deps: [build/first]"))
    with pytest.raises(ValueError, match="second: deps: found no list with a line for each"):
        write(project)

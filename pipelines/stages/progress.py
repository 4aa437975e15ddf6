"""How far an experiment of experiments/ has come, of whose stages there are up to a hundred."""

import itertools
import re
from pathlib import Path

from sftdec.runtime import DataError, read_yaml


def how_far(root: Path, stage: str) -> str:
    """What to add to a line on one of an experiment's stages (its address in DVC): how many are done.

    A result of other code or parameters counts as well; DVC removes it when the stage's turn comes.
    """
    experiment = re.match(r"(experiments/\w+)/dvc\.yaml:", stage)
    if experiment is None:
        return ""
    try:
        there = [path.exists() for path in results(root, root / experiment[1])]
    except (DataError, KeyError, TypeError, AttributeError, StopIteration):  # it is written in another way
        return ""
    return f"; {sum(there)} of {len(there)} stages done"


def results(root: Path, experiment: Path) -> list[Path]:
    """The first file or folder that each of an experiment's stages leaves, a stage of each item of a matrix.

    A list that dvc.yaml names as ``${key}`` stands in the experiment's params.yaml.
    """
    lists, found = read_yaml(experiment / "params.yaml"), list[Path]()
    for stage in read_yaml(experiment / "dvc.yaml")["stages"].values():
        out = next(path for each in stage["outs"] for path in ([each] if isinstance(each, str) else each))
        axes = {name: lists[of[2:-1]] if isinstance(of, str) else of for name, of in stage.get("matrix", {}).items()}
        for values in itertools.product(*axes.values()):
            own = out
            for name, value in zip(axes, values, strict=True):
                own = own.replace(f"${{item.{name}}}", str(value))
            found.append(root / own)
    return found

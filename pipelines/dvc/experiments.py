"""Experiments as DVC's own in this checkout: `python -m pipelines.dvc.experiments NAME…`, then `dvc repro`.

DVC lists, pulls and checks out the stages of every dvc.yaml that it finds. Those of experiments/ are hundreds of
trainings, which a clone has no results of and mostly wants none of: .dvcignore hides them until somebody runs one.
"""

import argparse
import sys
from pathlib import Path

HIDDEN = "/experiments/*/dvc.yaml"  # the line of the project's .dvcignore
FOLDER, STAGES = "experiments", "dvc.yaml"


def experiments(root: Path) -> list[str]:
    """The names of the project's experiments."""
    return sorted(path.parent.name for path in root.glob(f"{FOLDER}/*/{STAGES}"))


def show_experiment(root: Path, name: str) -> None:
    """Let DVC see an experiment from now on, in this checkout alone: ``experiments/.dvcignore`` isn't Git's.

    Raises:
        ValueError: there is no such experiment.
    """
    known = experiments(root)
    if name not in known:
        raise ValueError(f"{root / FOLDER} has no experiment {name}; it has {', '.join(known) or 'none'}")
    project = root / ".dvcignore"
    if not project.is_file() or HIDDEN not in project.read_text("utf-8").splitlines():
        return
    own = root / FOLDER / ".dvcignore"
    lines = own.read_text("utf-8").splitlines() if own.is_file() else []
    if (line := f"!/{name}/{STAGES}") not in lines:
        own.write_text("".join(f"{each}\n" for each in [*lines, line]), "utf-8")


def main() -> None:
    """Show what the command names."""
    parser = argparse.ArgumentParser(description="Let DVC see experiments in this checkout.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="a folder of experiments/")
    for name in parser.parse_args().names:
        try:
            show_experiment(Path(), name)
        except ValueError as error:
            sys.exit(f"ERROR: {error}")
        print(f"dvc repro {FOLDER}/{name}/{STAGES}")


if __name__ == "__main__":
    main()

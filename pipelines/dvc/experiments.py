"""Experiments as DVC's own in this checkout: `python -m pipelines.dvc.experiments NAME…`, then `dvc repro`.

With ``--hide`` DVC sees them no more.

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
    _check(root, name)
    project = root / ".dvcignore"
    if not project.is_file() or HIDDEN not in project.read_text("utf-8").splitlines():
        return
    own = root / FOLDER / ".dvcignore"
    lines = own.read_text("utf-8").splitlines() if own.is_file() else []
    if (line := _shown(name)) not in lines:
        own.write_text("".join(f"{each}\n" for each in [*lines, line]), "utf-8")


def hide_experiment(root: Path, name: str) -> None:
    """Take back ``show_experiment``.

    Raises:
        ValueError: there is no such experiment.
    """
    _check(root, name)
    own = root / FOLDER / ".dvcignore"
    if own.is_file():
        kept = [line for line in own.read_text("utf-8").splitlines() if line != _shown(name)]
        own.write_text("".join(f"{each}\n" for each in kept), "utf-8")


def _check(root: Path, name: str) -> None:
    known = experiments(root)
    if name not in known:
        raise ValueError(f"{root / FOLDER} has no experiment {name}; it has {', '.join(known) or 'none'}")


def _shown(name: str) -> str:
    """The line that takes back what hides an experiment."""
    return f"!/{name}/{STAGES}"


def main() -> None:
    """Show, or hide, what the command names."""
    parser = argparse.ArgumentParser(description="Let DVC see experiments in this checkout.")
    parser.add_argument("names", nargs="+", metavar="NAME", help="a folder of experiments/")
    parser.add_argument("--hide", action="store_true", help="take that back; what was trained stays in DVC's cache")
    given = parser.parse_args()
    for name in given.names:
        try:
            (hide_experiment if given.hide else show_experiment)(Path(), name)
        except ValueError as error:
            sys.exit(f"ERROR: {error}")
        seen = "no longer sees" if given.hide else "sees"
        print(f"DVC {seen} {name}{'' if given.hide else f'; next: dvc repro {FOLDER}/{name}/{STAGES}'}")


if __name__ == "__main__":
    main()

"""``sftdec history``: who served when and why; ``sftdec promote``: let another version serve, by hand."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

PARAMS = Path("params.yaml")


def add_models(commands: Any) -> None:
    """Add the commands to ``argparse``'s sub-parsers."""
    history = commands.add_parser(
        "history", help="who served when and why", description="Print every move of the alias champion, oldest first."
    )
    history.add_argument("--all", action="store_true", help="also what was registered, and what the gate refused")
    history.add_argument("--json", action="store_true", help="as JSON, with the figures")
    history.set_defaults(run=_history)

    promote = commands.add_parser(
        "promote",
        help="let another version serve",
        description="Let a version serve, a former one say; or measure the champion anew, on the photos there are now.",
    )
    what = promote.add_mutually_exclusive_group(required=True)
    what.add_argument("--version", type=int, metavar="N", help="the version that is to serve")
    what.add_argument("--rebase", action="store_true", help="measure the champion anew and record its figures")
    promote.add_argument("--reason", required=True, help="why; it goes into the history")
    promote.add_argument("--allow-dirty", action="store_true", help="even if no clean commit stands for it")
    promote.add_argument(
        "--scenes", type=Path, default=Path("build/scenes"), help="folder of scenes for --rebase (default: %(default)s)"
    )
    promote.set_defaults(run=_promote)


def _history(arguments: argparse.Namespace) -> int:
    from sftdec.registry import history

    told = history(Path.cwd(), everything=arguments.all)
    if arguments.json:
        print(json.dumps(json.loads(told.to_json(orient="records")), indent=2, ensure_ascii=False))
    elif told.empty:
        print("nothing has served yet")
    else:
        print("\n".join(_lines(told)))
    return 0


def _lines(told: "pd.DataFrame") -> list[str]:
    """The history as text, a line a move: times to the second, no value as a dash."""
    columns = {"time": 20, "event": 14, "version": 8, "previous": 9, "by": 16, "run": 33, "reason": 0}
    shown = told[[*columns]].astype(object).where(told[[*columns]].notna(), "–").astype(str)
    shown["time"] = shown["time"].str[:19].replace("", "–")
    head = [*columns]
    return [
        "".join(cell.ljust(columns[key]) for key, cell in zip(columns, row, strict=True))
        for row in [head, *shown.to_numpy().tolist()]
    ]


def _promote(arguments: argparse.Namespace) -> int:
    from sftdec.params import load_params
    from sftdec.registry import Judge, promote, rebase

    if not arguments.reason.strip():
        raise ValueError("--reason: found nothing, expected why, in words that are clear in a year")
    root = Path.cwd()
    if arguments.rebase:
        evaluate = load_params(PARAMS).evaluate
        version = rebase(Judge(arguments.scenes, evaluate.split, evaluate.device, root), arguments.reason)
        print(f"{version.uri} is measured anew; have the gate decide again: dvc repro -f register")
        return 0
    allowed = arguments.allow_dirty or (PARAMS.is_file() and load_params(PARAMS).gate.allow_dirty)
    print(f"{promote(arguments.version, arguments.reason, root, allow_dirty=allowed).uri} serves")
    return 0

"""``sftdec history``: who served when and why; ``sftdec promote``: let another version serve, by hand.

``sftdec register``: the model that ships as a version.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from sftdec.commands.printing import say_wait

PARAMS, SCENES = Path("params.yaml"), Path("build/scenes")
DECISION = Path(".tracking/gate.json")


def add_models(commands: Any) -> None:
    """Add the commands to ``argparse``'s sub-parsers."""
    history = commands.add_parser(
        "history",
        help="which version serves, and why",
        description="Print which version serves, then every move of the alias champion, oldest first.",
    )
    history.add_argument(
        "--all",
        action="store_true",
        help="also what was registered, and what the gate refused (shown anyway where nothing serves)",
    )
    history.add_argument("--json", action="store_true", help="as JSON, with the figures")
    history.set_defaults(run=_history)

    register = commands.add_parser(
        "register",
        help="put the model that ships into the registry",
        description="Make the model that ships a version of the registry, so that it can be served and challenged. The "
        "gate decides whether it serves, where there are photos to judge by.",
    )
    register.add_argument("model", choices=("builtin",), help="builtin: trained models come by make repro")
    register.add_argument("--scenes", type=Path, default=SCENES, help="folder of scenes (default: %(default)s)")
    register.set_defaults(run=_register)

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
        "--scenes", type=Path, default=SCENES, help="folder of scenes for --rebase (default: %(default)s)"
    )
    promote.set_defaults(run=_promote)


def _history(arguments: argparse.Namespace) -> int:
    say_wait("opening the registry")
    from sftdec.registry import history

    every = json.loads(history(Path.cwd(), everything=True).to_json(orient="records"))
    moves = [row for row in every if row["event"] not in ("registered", "refused")]
    shown = every if arguments.all else moves
    if arguments.json:
        print(json.dumps(shown, indent=2, ensure_ascii=False))
        return 0
    shown = shown or every
    print(_standing(every, moves, shown))
    if shown:
        print("\n".join(_lines(shown)))
    return 0


def _standing(every: list[dict[str, Any]], moves: list[dict[str, Any]], shown: list[dict[str, Any]]) -> str:
    """Which version serves, and why the newest doesn't where that is another and isn't ``shown`` with its reason."""
    serving = moves[-1]["version"] if moves else None
    told = f"version {serving} serves" if serving else "nothing serves" if moves else "nothing has served yet"
    newest = max((row["version"] for row in every if row["version"]), default=serving)
    last = [row for row in every if row["version"] == newest][-1:]
    if newest != serving and last and last[0]["event"] == "refused":
        told += f"; version {newest}, the newest, was refused"
        told += "" if last[0] in shown else f": {last[0]['reason']}"
    return told


def _lines(told: list[dict[str, Any]]) -> list[str]:
    """The history as text, a line a move: times to the second, no value as a dash."""
    columns = {"time": 20, "event": 14, "version": 8, "previous": 9, "by": 16, "run": 33, "reason": 0}
    rows = [{**row, "time": row["time"][:19] or None} for row in told]
    cells = [["–" if row[key] is None else str(row[key]) for key in columns] for row in rows]
    return [
        "".join(cell.ljust(width) for cell, width in zip(row, columns.values(), strict=True))
        for row in [[*columns], *cells]
    ]


def _register(arguments: argparse.Namespace) -> int:
    from sftdec.builtin import builtin_weights
    from sftdec.datasets import INDEX
    from sftdec.params import load_params
    from sftdec.registry import Judge, register, register_shipped

    root = Path.cwd()
    say_wait("registering the model, and loading it back")
    if not (arguments.scenes / INDEX).exists():
        version = register(builtin_weights(), None, {}, root)
        print(
            f"{version.uri}: registered; {arguments.scenes} has no photos to judge it by, so what serves stays: "
            f"`sftdec promote --version {version.number} --reason …` lets it serve"
        )
        return 0
    params = load_params(PARAMS)
    judge = Judge(arguments.scenes, params.evaluate.split, params.evaluate.device, root)
    outcome = register_shipped(judge, params.gate, DECISION)
    verdict = "promoted" if outcome.promoted else "not promoted"
    print(f"models:/sft-dec/{outcome.version}: {verdict}: {outcome.reason}")
    return 0


def _promote(arguments: argparse.Namespace) -> int:
    say_wait("opening the registry")
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

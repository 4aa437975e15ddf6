"""Kills a process that moves the champion, before each of its calls of the registry, and tells what is left.

    python -m tests.registry.killed FOLDER

FOLDER holds a registry with versions 1 (serving) and 2. Each case is a fork of this process on a copy of the database:
one moves the alias from 1 to 2 and dies by SIGKILL before its n-th writing call; another tells who serves and the
history; a third makes the move again and tells both once more. Prints a JSON list, a case a number of calls.
"""

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

WRITING = ("set_", "delete_", "create_", "update_")


def forked(work: Callable[[], Any], answer: Path) -> tuple[int, Any]:
    """What the work gives, in a process of its own; how that ended, 0 if well."""
    answer.unlink(missing_ok=True)
    child = os.fork()
    if not child:
        code = 1
        try:
            answer.write_text(json.dumps(work()))
            code = 0
        finally:
            os._exit(code)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return status, json.loads(answer.read_text()) if answer.exists() else None


def promote_and_die(root: Path, number: int, call: int) -> None:
    """Promote, but die before the ``call``-th call that writes."""
    from mlflow import MlflowClient

    from sftdec.registry import promote

    left = [call]

    def deadly(plain: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return plain(*arguments, **named)

        return counted

    for name in dir(MlflowClient):
        if name.startswith(WRITING):
            setattr(MlflowClient, name, deadly(getattr(MlflowClient, name)))
    promote(number, f"killed before call {call}", root)


def told(root: Path) -> dict[str, Any]:
    """Who serves, by which decision, and what the history says."""
    from sftdec.registry import history, versions

    moves = history(root)
    champions = [version for version in versions(root) if "champion" in version.aliases]
    return {
        "champions": [version.number for version in champions],
        "decision": champions[0].tags.get("gate.reason"),
        "versions": [int(number) for number in moves["version"]],
        "reasons": list(moves["reason"]),
    }


def made_again(root: Path) -> dict[str, Any]:
    """The same move once more, as a person (or the stage) would make it, then one back."""
    from sftdec.registry import champion, promote

    serving = champion(root)
    assert serving is not None
    if serving.number != 2:
        promote(2, "made again", root)
    promote(1, "and back", root)
    return told(root)


def main() -> None:
    """Try every call."""
    import mlflow.store.model_registry.sqlalchemy_store  # noqa: F401  once, not in every fork

    import sftdec.registry  # noqa: F401

    root = Path(sys.argv[1])
    database, pristine, answer = root / "mlflow.db", root / "pristine.db", root / "answer.json"
    database.rename(pristine)
    cases = []
    for call in range(1, 100):
        for left in root.glob("mlflow.db*"):
            left.unlink()
        shutil.copy(pristine, database)
        code, _ = forked(lambda call=call: promote_and_die(root, 2, call), answer)  # type: ignore[misc]
        _, after = forked(lambda: told(root), answer)
        _, later = forked(lambda: made_again(root), answer)
        cases.append({"code": code, "after": after, "later": later})
        if code == 0:
            break
    print(json.dumps(cases))


if __name__ == "__main__":
    main()

"""From a trained network to who serves: the register stage's service, and the same by hand."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from sftdec.builtin import builtin_weights
from sftdec.params import GateParams
from sftdec.registry.gate import Decision, decide
from sftdec.registry.judging import Judge, Refusal, figures
from sftdec.registry.model_versions import UnservableError, champion, record_decision, register, set_champion
from sftdec.registry.moves import decided, following, serving, write_move
from sftdec.registry.package import log_figures
from sftdec.registry.shipped import compare_with_shipped
from sftdec.registry.store import SCENES_TAG, RegistryError, Version, now, open_registry, read_version, tag_version
from sftdec.registry.turn import own_turn
from sftdec.runtime import atomic_path
from sftdec.tracking import TrackingSettings, user_name

GATE = "gate"
CHANGED = "the photos to judge by have changed"


@dataclass(frozen=True)
class Outcome:
    """What came of a registering; ``previous`` is the version that served until then."""

    version: int
    promoted: bool
    reason: str
    figures: Mapping[str, float] = field(default_factory=dict)
    previous: int | None = None
    time: str = field(default_factory=now)

    def write(self, path: Path) -> None:
        """Write it as JSON, whole or not at all."""
        with atomic_path(path) as temporary:
            temporary.write_text(json.dumps(asdict(self), indent=2) + "\n", "utf-8")


def register_and_judge(
    weights: Path, run_id: str | None, metrics: Mapping[str, Any], judge: Judge, gate: GateParams, report: Path
) -> Outcome:
    """Make ``weights`` a version, judge it against what serves, do what the gate says, and write it to ``report``.

    ``metrics`` are the evaluate stage's. What serves in the end, and the new version, are compared with the model that
    ships, too: who names no model gets the better one. Raises ``RegistryError`` where the weights can't be made a
    version; where they can't be served, the report says that too.
    """
    report.unlink(missing_ok=True)  # what is left of the last time must not be taken for this one's
    try:
        version = register(weights, run_id, metrics, judge.root, judge.basis, judge.settings)
    except UnservableError as error:
        refused = Decision(False, str(error), {})
        record_decision(error.version, refused, judge.root, judge.settings, run_id=run_id)
        Outcome(error.version.number, False, refused.reason).write(report)
        raise
    outcome = _judge(version, judge, gate, run_id)
    outcome.write(report)
    for each in {found.number: found for found in (version, champion(judge.root, judge.settings)) if found}.values():
        compare_with_shipped(each, judge)
    return outcome


def _judge(version: Version, judge: Judge, gate: GateParams, run_id: str | None) -> Outcome:
    current = champion(judge.root, judge.settings)
    previous = current.number if current else None
    if current is not None and previous == version.number:
        reason = f"{version.uri} already serves, with these very weights"
        if _rebased(current, judge, gate, run_id):
            reason += f"; it was measured anew, as {CHANGED}"
        return Outcome(version.number, False, reason, {}, previous)
    try:
        decision = _compare(version, current, judge, gate, run_id)
    except Refusal as refusal:
        decision = Decision(False, str(refusal), {})
    if decision.promote and not gate.promote:
        held = f"{decision.reason}; better, but gate.promote is false: `sftdec promote --version {version.number}`"
        decision = replace(decision, promote=False, reason=held)
    record_decision(
        version, decision, judge.root, judge.settings, run_id=run_id, allow_dirty=gate.allow_dirty, expected=previous
    )
    return Outcome(version.number, decision.promote, decision.reason, decision.figures, previous)


def _compare(version: Version, current: Version | None, judge: Judge, gate: GateParams, run_id: str | None) -> Decision:
    """The gate's decision on tables that were made now, of weights that were loaded back.

    Raises ``Refusal`` where there is nothing to decide on.
    """
    if version.unreproducible and not gate.allow_dirty:
        raise Refusal(
            f"{version.uri} can't be rebuilt ({version.unreproducible}); commit, then `dvc repro -f register`, or set "
            "gate.allow_dirty"
        )
    judge.check_split()
    judge.check_scenes(version)
    mine = judge.evaluate(version)
    judge.check_reproduced(version, mine, gate.tolerance)
    if current is None:
        return decide(mine, None, gate)
    current = _rebased(current, judge, gate, run_id) or current
    judge.check_scenes(current)
    theirs = judge.evaluate(current)
    judge.check_reproduced(current, theirs, gate.tolerance)
    return decide(mine, theirs, gate)


def _rebased(current: Version, judge: Judge, gate: GateParams, run_id: str | None) -> Version | None:
    """The champion measured anew, where the photos to judge by have changed and the gate is to do that; else None."""
    if gate.on_new_data != "rebase" or current.tags.get(SCENES_TAG) == judge.scenes_hash:
        return None
    return rebase(judge, f"{CHANGED} (gate.on_new_data: rebase)", GATE, run_id)


def register_shipped(judge: Judge, gate: GateParams, report: Path) -> Outcome:
    """Make the model that ships a version, measured on the judge's photos, and let the gate decide, as of any other.

    Raises ``DataError`` where there are no photos to judge by, otherwise as ``register_and_judge``.
    """
    from sftdec.evaluation import summarise

    weights = builtin_weights()
    metrics = summarise(judge.evaluate_weights(weights))
    return register_and_judge(weights, None, metrics, judge, gate, report)


def rebase(judge: Judge, reason: str, by: str | None = None, run_id: str | None = None) -> Version:
    """Measure the champion anew, on the photos there are now, and record that as its registered figures.

    The way on where the photos to judge by, or the code that measures, have changed on purpose. The history keeps the
    figures before and after. It is compared with the model that ships as well. Raises ``RegistryError`` where nothing
    serves or another version does by now, ``Refusal`` where it can't be measured.
    """
    from sftdec.evaluation import summarise

    current = champion(judge.root, judge.settings)
    if current is None:
        raise RegistryError("there is no champion to measure anew; `sftdec promote --version N` makes one")
    measured = figures(judge.evaluate(current))
    compared = {
        f"{key.removeprefix('metric.')}.{when}": float(tags[key])
        for key in measured
        for when, tags in (("before", current.tags), ("now", measured))
        if key.endswith((".psnr", ".ssim")) and key in tags
    }
    with open_registry(judge.settings) as client, own_turn(client, judge.settings):
        if (now_serves := serving(client)) != current.number:
            raise RegistryError(
                f"{current.uri} was measured anew, but version {now_serves} serves by now; run this again"
            )
        move = decided("rebased", current.number, reason, by or person(), run=run_id, figures=compared)
        move = following(client, replace(move, previous=current.number))
        for key in current.tags:
            if key.startswith("metric.") and key not in measured:
                client.delete_model_version_tag(current.name, str(current.number), key)
        tag_version(client, current, measured)
        write_move(client, move)
        log_figures(client, current, summarise(judge.evaluate(current)), judge.scenes_hash)
        tag_version(client, current, judge.basis)  # last: till then the gate takes it for old
        current = read_version(client, current.number)
    return compare_with_shipped(current, judge)


def promote(
    number: int, reason: str, root: Path, settings: TrackingSettings | None = None, allow_dirty: bool = False
) -> Version:
    """Let version ``number`` serve because a person says so.

    Raises ``RegistryError`` for a version that isn't there, is broken, was never verified, can't be rebuilt (unless
    allowed), whose file was changed, or that serves already.
    """
    return set_champion(Version(number, None), reason, {}, root, settings, by=person(), allow_dirty=allow_dirty)


def person() -> str:
    """Who is at the keyboard, for the history."""
    name = user_name()
    return f"person ({name})" if name else "person"

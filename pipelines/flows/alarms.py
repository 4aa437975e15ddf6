"""Who hears of it: a run that ended badly or never began, a gate that refused, photos that drifted.

`python -m pipelines.flows.alarms TYPE/NAME` has the Prefect server that is configured send it by automations, through
a block of the user's: any that notifies (`slack-webhook/ops`, `sendgrid-email/me`), or a plain `webhook/ops`. Where no
server is, or one without them, the flows' own hook sends it.
"""

import argparse
import json
import sys
from datetime import timedelta
from typing import Any, cast

from prefect import Flow, State, get_client, get_run_logger
from prefect.automations import AutomationCore, CallWebhook, EventTrigger, Posture, SendNotification
from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block
from prefect.blocks.webhook import Webhook
from prefect.client.schemas.objects import FlowRun
from prefect.events import emit_event
from prefect.settings import PREFECT_API_URL
from prefect.utilities.asyncutils import run_coro_as_sync
from prefect.variables import Variable

FLOWS = ["retrain", "reevaluate", "experiment", "drift"]
SUBJECT = "SFT-Dec"
VARIABLE = "sftdec_alarms"  # Prefect's, which holds the block's address for the hook
LATE = timedelta(minutes=15)
SILENT = timedelta(minutes=10)  # a run gives a sign of life every three (PREFECT_FLOWS_HEARTBEAT_FREQUENCY)
_OURS = {"prefect.resource.role": "flow", "prefect.resource.name": FLOWS}
_RUN = "prefect.flow-run."
_BADLY = {f"{_RUN}{state}" for state in ("Failed", "Crashed", "Cancelled", "TimedOut")}
ALARMS = {  # automation → what it waits for, and what it says
    "sft-dec: a run ended badly": (
        EventTrigger(
            expect=_BADLY,
            match_related=cast(Any, _OURS),
        ),
        "{{ flow.name }} ({{ flow_run.name }}) {{ flow_run.state.name }}: {{ flow_run.state.message }}",
    ),
    "sft-dec: a run never began": (
        EventTrigger(
            posture=Posture.Proactive,
            after={f"{_RUN}Late", f"{_RUN}Pending"},
            expect={f"{_RUN}{state}" for state in ("Running", "Failed", "Crashed", "Cancelled")},
            for_each={"prefect.resource.id"},
            within=LATE,
            match_related=cast(Any, _OURS),
        ),
        f"{{{{ labels['prefect.resource.id'] }}}} was due and has not begun within {LATE}: does a worker run?",
    ),
    "sft-dec: a run is silent": (
        EventTrigger(
            posture=Posture.Proactive,
            after={f"{_RUN}heartbeat"},
            expect={f"{_RUN}heartbeat", f"{_RUN}Completed", *_BADLY},
            for_each={"prefect.resource.id"},
            within=SILENT,
            match_related=cast(Any, _OURS),
        ),
        f"{{{{ labels['prefect.resource.id'] }}}} gave no sign of life for {SILENT}: it or its machine went down",
    ),
    "sft-dec: a gate or photos": (EventTrigger(expect={"sftdec.*"}), "{{ event.payload.sentence }}"),
}


class AlarmError(ValueError):
    """No such block, or one that can send nothing."""


def alarm(name: str, sentence: str) -> None:
    """An event `sftdec.NAME` of this flow run, which went well."""
    resource = {"prefect.resource.id": f"sftdec.{name}", "prefect.resource.name": name}
    emit_event(f"sftdec.{name}", resource, payload={"sentence": sentence})
    _unless_the_server_does(sentence)


def ended_badly(flow: Flow[..., Any], flow_run: FlowRun, state: State[Any]) -> None:
    """The flows' hook; on a server its automation says the same."""
    _unless_the_server_does(f"{flow.name} ({flow_run.name}) {state.name}: {state.message}")


HOOKS: dict[str, Any] = {f"on_{end}": [ended_badly] for end in ("failure", "crashed", "cancellation")}


def _unless_the_server_does(body: str) -> None:
    """Send it: where no server is, or one that the automations were not made on, as `--serve` starts for itself."""
    try:
        if PREFECT_API_URL.value() and _has_automations():
            return
        if address := Variable.get(VARIABLE):
            send(load(str(address)), body)
    except Exception as error:  # whatever a block can fail with; what it is about matters more
        get_run_logger().warning("Nobody was told: %s", error)


def _has_automations() -> bool:
    with get_client(sync_client=True) as client:
        return any(client.read_automations_by_name(name) for name in ALARMS)


def load(address: str) -> Block:
    """A block by TYPE/NAME.

    Raises:
        AlarmError: there is none, or it can send nothing.
    """
    try:
        block = cast(Block, Block.load(address))
    except ValueError as error:
        raise AlarmError(f"{address}: {error}; `prefect block ls` lists those there are") from error
    if not isinstance(block, NotificationBlock | Webhook):
        raise AlarmError(f"{address}: found a block that sends nothing, expected one that notifies, or a webhook")
    return block


def send(block: Any, body: str) -> None:
    """One message through the block."""
    if isinstance(block, Webhook):
        run_coro_as_sync(block.call({"subject": SUBJECT, "body": body}))
    else:
        block.notify(body, SUBJECT)


def set_up(address: str) -> None:
    """Make the automations of the configured server, in place of those of before, and try the block.

    Raises:
        AlarmError: as `load`.
    """
    block = load(address)
    send(block, "This is where you hear of retrainings that end badly, of gates that refuse and photos that drift.")
    Variable.set(VARIABLE, address, overwrite=True)
    if not PREFECT_API_URL.value():
        return
    document = block._block_document_id
    assert document is not None
    with get_client(sync_client=True) as client:
        for name, (trigger, body) in ALARMS.items():
            for former in client.read_automations_by_name(name):
                client.delete_automation(former.id)
            if isinstance(block, Webhook):
                payload = f'{{"subject": {json.dumps(SUBJECT)}, "body": {body_as_json(body)}}}'
                action: Any = CallWebhook(block_document_id=document, payload=payload)
            else:
                action = SendNotification(block_document_id=document, subject=SUBJECT, body=body)
            client.create_automation(AutomationCore(name=name, trigger=trigger, actions=[action]))


def body_as_json(body: str) -> str:
    """A template whose text stands in JSON."""
    return f"{{% set body %}}{body}{{% endset %}}{{{{ body | tojson }}}}"


def main() -> None:
    """Set up who hears of it."""
    parser = argparse.ArgumentParser(description="Send what goes wrong with retrainings through a block of Prefect's.")
    parser.add_argument("block", metavar="TYPE/NAME", help="such as slack-webhook/ops; `prefect block ls` lists them")
    try:
        set_up(parser.parse_args().block)
    except AlarmError as error:
        sys.exit(f"ERROR: {error}")


if __name__ == "__main__":
    main()

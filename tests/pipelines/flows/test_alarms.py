"""Who hears of what goes wrong; the automations themselves are told in tests/services/test_power_cut.py."""

import pytest
from prefect import flow
from prefect.blocks.notifications import CustomWebhookNotificationBlock, SlackWebhook
from prefect.blocks.system import Secret
from prefect.blocks.webhook import Webhook
from prefect.settings import PREFECT_API_URL

from pipelines.flows import alarms
from pipelines.flows.alarms import HOOKS, AlarmError, alarm, load, set_up
from pipelines.flows.retrain import is_refused
from tests.pipelines.receiver import receiving, receiving_mail

pytestmark = pytest.mark.slow


def test_the_champion_trained_again_is_no_refusal() -> None:
    assert is_refused({"version": 2, "previous": 1, "promoted": False})
    assert not is_refused({"version": 1, "previous": 1, "promoted": False})
    assert not is_refused({"version": 2, "previous": 1, "promoted": True}) and not is_refused({})


class NoServer:
    """As where PREFECT_API_URL isn't set."""

    @staticmethod
    def value() -> None:
        return None


@flow(name="retrain", flow_run_name="HEAD 1234567", **HOOKS)
def fails():
    alarm("gate-refused", "Version 3 isn't promoted: it is no better")
    raise ValueError("the loss is nan")


@pytest.mark.parametrize(
    ("kind", "served"), [("custom-webhook", False), ("webhook", False), ("webhook", True)]
)  # served: by a server that it wasn't set up on, such as that of --serve
def test_without_a_servers_automations_the_flows_hook_sends_it_through_the_users_block(
    prefect_server, monkeypatch, kind, served
):
    monkeypatch.setattr(alarms, "PREFECT_API_URL", NoServer)
    with receiving() as (address, received):
        if kind == "webhook":
            Webhook(url=address).save("ops", overwrite=True)
        else:
            told = {"subject": "{{subject}}", "body": "{{body}}"}
            block = CustomWebhookNotificationBlock(name="ops", url=address, json_data=told)
            block.save("ops", overwrite=True)
        set_up(f"{kind}/ops")
        if served:
            monkeypatch.setattr(alarms, "PREFECT_API_URL", PREFECT_API_URL)
        with pytest.raises(ValueError, match="nan"):
            fails()
    assert {each["subject"] for each in received} == {"SFT-Dec"}
    said = [each["body"] for each in received]
    assert said[0].startswith("This is where you hear") and said[1] == "Version 3 isn't promoted: it is no better"
    assert said[2].startswith("retrain (HEAD 1234567) Failed: Flow run encountered an exception: ValueError: the loss")


def test_it_is_sent_as_mail_where_the_block_s_address_is_one_of_mail(prefect_server, monkeypatch):
    monkeypatch.setattr(alarms, "PREFECT_API_URL", NoServer)
    with receiving_mail() as (address, received):
        url = f"mailto://{address}/?mode=insecure&from=nights@studio.example&to=anna@studio.example"
        SlackWebhook(url=url).save("mail", overwrite=True)
        set_up("slack-webhook/mail")
        with pytest.raises(ValueError, match="nan"):
            fails()
    assert [(each["subject"], each["to"]) for each in received] == [("SFT-Dec", "anna@studio.example")] * 3
    said = [each.get_body(("plain", "html")).get_content() for each in received]
    assert "This is where you hear" in said[0] and "Version 3 isn" in said[1]
    assert "retrain (HEAD 1234567) Failed" in said[2] and "the loss is nan" in said[2]


def test_a_block_that_is_not_there_or_sends_nothing_is_refused(prefect_server):
    with pytest.raises(AlarmError, match=r"slack-webhook/nowhere: .*prefect block ls"):
        load("slack-webhook/nowhere")
    Secret(value="x").save("mine", overwrite=True)
    with pytest.raises(AlarmError, match="found a block that sends nothing"):
        load("secret/mine")

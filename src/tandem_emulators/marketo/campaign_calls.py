"""The calls about smart campaigns: list, get, request for given people, schedule (10)."""

from typing import Any

from tandem_emulators.marketo.call import Call, as_integer
from tandem_emulators.marketo.campaigns import REQUESTED_LEADS_MAX, Campaign, run_at
from tandem_emulators.marketo.envelope import Reply
from tandem_emulators.marketo.errors import ApiError, invalid, missing_parameter
from tandem_emulators.marketo.flow import Flows
from tandem_emulators.marketo.people import iso
from tandem_emulators.marketo.subscription import Handler, Subscription


def query(subscription: Subscription, call: Call) -> Reply:
    ids, names = set(call.integers("id")), set(call.texts("name"))
    programs, workspaces = set(call.texts("programName")), set(call.texts("workspaceName"))
    triggerable = (call.text("isTriggerable") or "").lower() == "true"
    after, mark = subscription.position(
        call.text("nextPageToken"),
        "campaigns",
        sorted(ids),
        sorted(names),
        sorted(programs),
        sorted(workspaces),
        triggerable,
    )
    found = [
        campaign
        for campaign in subscription.campaigns.after(after, -1)
        if (not ids or campaign.id in ids)
        and (not names or campaign.name in names)
        and (not programs or _program_name(subscription, campaign) in programs)
        and (not workspaces or campaign.workspace_name in workspaces)
        and (not triggerable or _is_requestable(campaign))
    ]
    size = call.batch_size()
    page, token = subscription.page(found[: size + 1], size, mark, lambda campaign: campaign.id)
    return Reply([_shown(subscription, campaign) for campaign in page], token)


def get(subscription: Subscription, call: Call) -> Reply:
    return Reply([_shown(subscription, _campaign(subscription, call))])


def schedule(subscription: Subscription, call: Call) -> Reply:
    campaign = _campaign(subscription, call)
    stated = _input(call) if call.has_body() else {}
    _check_tokens(stated)
    if campaign.type != "batch":
        raise invalid("Only a batch campaign can be scheduled")
    if stated.get("cloneToProgramName"):
        raise ApiError("1020", "Too many clones to program")
    due_s = run_at(stated.get("runAt"), call.now_s)
    if due_s is None:
        raise ApiError("1042", "Invalid runAt date")
    subscription.campaigns.schedule(campaign.id, due_s)
    return Reply([{"id": campaign.id}])


def handlers(flows: Flows) -> dict[str, Handler]:
    def trigger(subscription: Subscription, call: Call) -> Reply:
        campaign, stated = _campaign(subscription, call), _input(call)
        _check_tokens(stated)
        ids = _leads(stated)
        subscription.counters.written(len(ids))
        if not _is_requestable(campaign):
            raise invalid("The campaign is no active trigger campaign that can be requested")
        known = subscription.leads.find("id", ids)
        missing = [number for number in ids if number not in known]
        if missing:
            raise ApiError("1004", f"Lead {missing} not found")
        flows.request(campaign, ids, subscription.author(call, "requestCampaign"), call.now_s)
        return Reply([{"id": campaign.id}])

    return {
        "campaigns.query": query,
        "campaigns.get": get,
        "campaigns.schedule": schedule,
        "campaigns.trigger": trigger,
    }


def _is_requestable(campaign: Campaign) -> bool:
    return campaign.type == "trigger" and campaign.active and campaign.requestable


def _input(call: Call) -> dict[str, Any]:
    stated = call.body().get("input")
    if stated is None:
        raise missing_parameter("input")
    if not isinstance(stated, dict):
        raise invalid("Invalid value for field 'input'")
    return stated


def _check_tokens(stated: dict[str, Any]) -> None:
    """My Tokens are named `{{my.name}}`."""
    tokens = stated.get("tokens", [])
    if not isinstance(tokens, list):
        raise invalid(f"Invalid token value: {tokens}")
    for token in tokens:
        name = token.get("name") if isinstance(token, dict) else None
        if not isinstance(name, str) or not (name.startswith("{{my.") and name.endswith("}}")):
            raise invalid(f"Invalid token value: [{name}]")


def _leads(stated: dict[str, Any]) -> list[int]:
    leads = stated.get("leads")
    if leads is None or leads == []:
        raise missing_parameter("leads")
    if not isinstance(leads, list) or len(leads) > REQUESTED_LEADS_MAX:
        raise invalid(f"At most {REQUESTED_LEADS_MAX} leads can be requested at once")
    return [as_integer(str(each.get("id") if isinstance(each, dict) else each)) for each in leads]


def _campaign(subscription: Subscription, call: Call) -> Campaign:
    found = subscription.campaigns.find(call.path_integer("campaignId"))
    if found is None:
        raise ApiError("1013", "Campaign not found")
    return found


def _program_name(subscription: Subscription, campaign: Campaign) -> str | None:
    found = subscription.programs.find(campaign.program_id) if campaign.program_id is not None else None
    return found.name if found is not None else None


def _shown(subscription: Subscription, campaign: Campaign) -> dict[str, Any]:
    shown = {
        "id": campaign.id,
        "name": campaign.name,
        "description": campaign.description,
        "type": campaign.type,
        "programName": _program_name(subscription, campaign),
        "programId": campaign.program_id,
        "workspaceName": campaign.workspace_name,
        "createdAt": iso(campaign.created_s),
        "updatedAt": iso(campaign.updated_s),
        "active": campaign.type == "trigger" and campaign.active,
    }
    return {name: value for name, value in shown.items() if value is not None}

"""Requests as callers meet them: what a call asks for is read and checked, stored, looked into, and answered.

A call that cannot be understood is refused and stored nowhere. Everything else is stored before it is answered, and a
stored request that was answered is carried out, whatever happens to the process.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tandem.app.build import open_state
from tandem.app.request_reports import Answer, MembershipLine, RequestLine
from tandem.config.model import Config
from tandem.config.policies import campaign_rules, creation_rules
from tandem.core.errors import AccessError, LeaseLostError, TandemError, TransientError
from tandem.core.memberships import CampaignRule
from tandem.core.record import RecordId, Value
from tandem.core.requests import Ask, Deed, Request, RequestState
from tandem.runtime.engine import Engine
from tandem.runtime.foresight import Foresight, Prospect, foresee
from tandem.runtime.memberships import TROUBLE, Rule
from tandem.runtime.requests import find_people, live_record

FORESIGHT_S: Final = 10.0
"""A flow step waits for its answer for 30 s (marketo-rest 7.1); a look that takes longer than this is left to the pass,
and the answer says so."""

_TEXT_MAX: Final = 4_000
_KEY_MAX: Final = 200
_DUE_DAYS_MAX: Final = 3_650
_YES: Final = frozenset({"true", "yes", "1"})
_NO: Final = frozenset({"false", "no", "0", ""})


class BadCallError(TandemError):
    """A call that cannot be understood; the text says what would be right."""


@dataclass(frozen=True, slots=True)
class FrontDesk:
    """Where calls come in while passes run. `wake` tells the runner that somebody waits."""

    engine: Engine
    account: Literal["none", "company"]
    wake: Callable[[], None]

    async def take(self, deed: Deed, fields: Mapping[str, Any], key: str | None = None) -> Answer:
        """Raises: BadCallError, StoreError."""
        ask = read_ask(deed, fields, key=key, account=self.account)
        request = self.engine.store.take_request(ask, self.engine.clock.now())
        foresight = await self._look(request)
        if request.state.is_open:
            end_at_once(self.engine, request, foresight)
            self.wake()
        return to_answer(request, foresight)

    async def _look(self, request: Request) -> Foresight:
        if not request.state.is_open:
            return as_it_ended(self.engine, request)
        try:
            return await asyncio.wait_for(foresee(self.engine, request), FORESIGHT_S)
        except (TimeoutError, TransientError, AccessError, LeaseLostError):
            return Foresight(Prospect.ACCEPTED, "stored; a side is busy or away just now")


def end_at_once(engine: Engine, request: Request, foresight: Foresight) -> None:
    """Where nothing is to be done the answer is the end of it: what was refused is not carried out later."""
    is_refused = foresight.prospect is Prospect.REFUSED
    if not is_refused and foresight.prospect not in (Prospect.EXISTS, Prospect.NOTHING):
        return
    waiting = {known.number for known in engine.store.load_open_requests() if known.state is RequestState.WAITING}
    if request.number in waiting:
        state = RequestState.REFUSED if is_refused else RequestState.DONE
        ended = replace(request, state=state, finished_at=engine.clock.now(), said=foresight.reason)
        with suppress(LeaseLostError):  # another worker holds the sync: its pass comes to the same end
            engine.store.save_request(ended)


def as_it_ended(engine: Engine, request: Request) -> Foresight:
    is_refused = request.state is RequestState.REFUSED
    record = live_record(find_people(engine, [request]).get(request.person))
    return Foresight(Prospect.REFUSED if is_refused else Prospect.NOTHING, request.said or "", record)


def to_answer(request: Request, foresight: Foresight) -> Answer:
    record = foresight.record
    entity, crm_id = (str(record.entity), record.id) if record else (None, None)
    return Answer(request.number, foresight.prospect.value, foresight.reason, entity, crm_id)


def requests(config: Config, limit: int) -> list[RequestLine]:
    """The newest requests, with what came of each."""
    store = open_state(config)
    try:
        return [_line(request) for request in store.load_requests(limit)]
    finally:
        store.close()


def _line(request: Request) -> RequestLine:
    return RequestLine(
        number=request.number,
        asked_at=request.asked_at,
        deed=request.deed.value,
        person=request.person,
        origin=request.origin,
        state=request.state.value,
        said=request.said,
        before=request.before,
        after=request.after,
    )


def memberships(config: Config) -> list[MembershipLine]:
    """What the settings tie to a list or program of Marketo, and how the last comparison went."""
    rules: list[Rule] = [*creation_rules(config), *campaign_rules(config)]
    store = open_state(config)
    try:
        return [
            MembershipLine(
                follows=f"{rule.roster.kind} {rule.roster.id}",
                campaign=rule.campaign if isinstance(rule, CampaignRule) else None,
                compared_at=store.load_setting(rule.name),
                trouble=store.load_setting(TROUBLE.format(rule=rule.name)) or None,
            )
            for rule in rules
        ]
    finally:
        store.close()


# --- reading a call ------------------------------------------------------------------------------------------------


def read_ask(
    deed: Deed, fields: Mapping[str, Any], *, key: str | None = None, account: str = "none", origin: str = "webhook"
) -> Ask:
    """`fields` as a form or a JSON object brought them: texts may stand for numbers and for yes and no.

    Raises: BadCallError, naming the field and the remedy.
    """
    known = _FIELDS[deed]
    unknown = [name for name in fields if name not in known and name != "id"]
    if unknown:
        raise BadCallError(f"{unknown[0][:40]} is no field of {deed}; known are id, {', '.join(known)}.")
    if key is not None and not 0 < len(key) <= _KEY_MAX:
        raise BadCallError(f"An idempotency key has at most {_KEY_MAX} characters.")
    arguments = {name: value for name in known if (value := known[name](name, fields.get(name))) is not None}
    if deed is Deed.SYNC_PERSON and arguments.get("as") == "contact":
        arguments.setdefault("account", account)
    for name in _REQUIRED.get(deed, ()):
        if name not in arguments:
            raise BadCallError(f"{deed} needs the field {name}.")
    return Ask(deed, _person(fields.get("id")), arguments, origin, key)


def _person(given: Any) -> RecordId:
    text = str(given).strip() if isinstance(given, int | str) and not isinstance(given, bool) else ""
    if not text.isdecimal() or not 0 < int(text) < 2**31:
        raise BadCallError("id must be the person's id in Marketo, as the token {{lead.Id}} gives it.")
    return RecordId(str(int(text)))


def _text(name: str, given: Any) -> Value:
    if given is None or given == "":
        return None
    if not isinstance(given, str | int | float) or isinstance(given, bool) or len(str(given)) > _TEXT_MAX:
        raise BadCallError(f"{name} must be a text of at most {_TEXT_MAX} characters.")
    return str(given)


def _yes(name: str, given: Any) -> Value:
    if given is None:
        return None
    text = str(given).strip().lower()
    if text not in _YES | _NO:
        raise BadCallError(f"{name} must be true or false.")
    return text in _YES or None


def _days(name: str, given: Any) -> Value:
    if given is None or given == "":
        return None
    text = str(given).strip()
    if not text.isdecimal() or int(text) > _DUE_DAYS_MAX:
        raise BadCallError(f"{name} must be a whole number of days, at most {_DUE_DAYS_MAX}.")
    return int(text)


def _one_of(*words: str) -> Callable[[str, Any], Value]:
    def read(name: str, given: Any) -> Value:
        if given is None or given == "":
            return None
        text = str(given).strip().lower()
        if text not in words:
            raise BadCallError(f"{name} must be {' or '.join(words)}.")
        return text

    return read


_ENTITY = _one_of("lead", "contact")

_FIELDS: Final[Mapping[Deed, Mapping[str, Callable[[str, Any], Value]]]] = {
    Deed.SYNC_PERSON: {
        "as": _ENTITY,
        "owner": _text,
        "account": _one_of("none", "company"),
        "force": _yes,
        "resurrect": _yes,
    },
    Deed.CHANGE_OWNER: {"owner": _text, "as": _ENTITY},
    Deed.CREATE_TASK: {
        "subject": _text,
        "description": _text,
        "due_days": _days,
        "status": _text,
        "owner": _text,
        "as": _ENTITY,
    },
    Deed.ADD_TO_CAMPAIGN: {"campaign": _text, "as": _ENTITY},
    Deed.REMOVE_FROM_CAMPAIGN: {"campaign": _text, "others": _yes},
}
_REQUIRED: Final[Mapping[Deed, Sequence[str]]] = {
    Deed.CHANGE_OWNER: ("owner",),
    Deed.CREATE_TASK: ("subject",),
    Deed.ADD_TO_CAMPAIGN: ("campaign",),
    Deed.REMOVE_FROM_CAMPAIGN: ("campaign",),
}

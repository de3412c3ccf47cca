"""Requests on their way: the people they name are brought into the hot lane, and each deed is done once its person is
in Dynamics.

Creating the person is the engine's own work: a request only says that it is wanted (``Engine.asked``). Every deed may
be done again, so a crash or a lost answer is met by doing it once more after the call can no longer land.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Final

from tandem.core.errors import AccessError, RejectedError, TransientError, UnknownOutcomeError
from tandem.core.record import CONTACT, PERSON, Entity, Lane, Link, LinkStatus, RecordId, RecordKey, Side, State
from tandem.core.requests import Asked, Deed, Request, RequestState
from tandem.ports import Claim
from tandem.runtime.asking import asked_of
from tandem.runtime.deeds import Settled, Step, prepare, prepare_adds, refused
from tandem.runtime.engine import Engine
from tandem.runtime.extract import read_by_id, search_keys
from tandem.runtime.look import look

KEPT: Final = timedelta(days=90)
"""How long a request that ended is kept."""

NOT_THERE: Final = "not in Dynamics"

Links = Mapping[RecordId, Link]


class Reception:
    """The requests of one pass."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._brought: set[int] = set()
        self._lacking: set[int] = set()
        self.counts: Counter[str] = Counter()

    async def attend(self) -> None:
        """Bring in whom new requests name, and do what can be done by now. Cheap when nobody asks for anything."""
        requests = self._engine.store.load_open_requests()
        fresh = [request for request in requests if request.number not in self._brought]
        if fresh:
            self._brought.update(request.number for request in fresh)
            await self._bring_in(fresh)
            requests = self._engine.store.load_open_requests()
        links = find_people(self._engine, requests)
        adds: defaultdict[tuple[str | None, Entity], list[tuple[Request, RecordKey]]] = defaultdict(list)
        for request in requests:
            record = record_of(request, links)
            if request.number in self._lacking:
                continue
            if record is None and not request.deed.needs_a_record:
                self._end(request, RequestState.DONE, NOT_THERE)
            elif record is not None and request.deed is Deed.ADD_TO_CAMPAIGN and request.state is RequestState.WAITING:
                adds[request.text("campaign"), record.entity].append((request, record))
            elif record is not None:
                with self._others_going_on([request]):
                    await self._do(request, record)
        for group in adds.values():
            with self._others_going_on([request for request, _ in group]):
                await self._add(group)

    async def close(self) -> None:
        """The end of a pass: what it could not do is refused with the reason, or waits for the next one."""
        await self.attend()
        requests = self._engine.store.load_open_requests()
        links = find_people(self._engine, requests)
        busy = {row.link for row in self._engine.store.load_open_rows()} if requests else set()
        for request in requests:
            link = links.get(request.person)
            record = live_record(link)
            if request.arguments.get("force") and link is not None and record is not None and link.number not in busy:
                self._end(request, RequestState.DONE, f"carried: {record.entity} {record.id}")
        await self._refuse_the_hopeless(requests, links)
        self._engine.asked.clear()

    # --- bringing in

    async def _bring_in(self, requests: Sequence[Request]) -> None:
        engine, links = self._engine, find_people(self._engine, requests)
        missing = {r.person for r in requests if r.deed.needs_a_record and live_record(links.get(r.person)) is None}
        states = {state.key.id: state for state in await read_by_id(engine, Side.MARKETING, PERSON, sorted(missing))}
        for request in requests:
            state = states.get(request.person)
            try:
                if state is not None and not state.is_present:
                    raise refused("Marketo has no person of this id: it was merged or deleted.", request.deed)
                with self._others_going_on([request]):
                    self._note(request, await asked_of(engine, request, state))
                    if state is not None and request.before is None:
                        engine.store.save_request(replace(request, before=NOT_THERE))
            except RejectedError as error:
                self._end(request, RequestState.REFUSED, str(error))
        present = [state for state in states.values() if state.is_present]
        _to_the_front(engine, present)
        forced = [link.number for id_, link in links.items() if id_ in engine.asked and engine.asked[id_].force]
        pending = [links[state.key.id].number for state in present if state.key.id in links]
        engine.store.make_due([*forced, *pending], lane=Lane.HOT)

    def _note(self, request: Request, asked: Asked) -> None:
        known = self._engine.asked.get(request.person)
        self._engine.asked[request.person] = known.with_also(asked) if known else asked

    # --- doing

    async def _do(self, request: Request, record: RecordKey) -> None:
        """``sent`` is stored before the call, the outcome after it."""
        engine = self._engine
        if request.state is RequestState.SENT and not self._has_settled(request):
            return
        if request.deed is Deed.SYNC_PERSON:
            if not request.arguments.get("force") and await is_there(engine, record):
                self._end(request, RequestState.DONE, f"{_found_or_made(request)}: {record.entity} {record.id}")
            return
        try:
            match await prepare(engine, request, record):
                case Settled(said):
                    self._end(request, RequestState.DONE, said)
                case Step() as step:
                    await self._take([request], step)
        except RejectedError as error:
            self._end(request, RequestState.REFUSED, str(error))

    async def _add(self, group: Sequence[tuple[Request, RecordKey]]) -> None:
        """Everybody whom one campaign gets at once, in one call; where that is refused, one by one."""
        try:
            missing, step = await prepare_adds(self._engine, group[0][0], [record for _, record in group])
            for request, record in group:
                if record not in missing:
                    self._end(request, RequestState.DONE, step.said)
            if missing:
                await self._take([request for request, record in group if record in missing], step)
        except RejectedError as error:
            if len(group) == 1:
                self._end(group[0][0], RequestState.REFUSED, str(error))
                return
            still_open = {request.number for request in self._engine.store.load_open_requests()}
            for request, record in group:
                if request.number in still_open:
                    await self._add([(request, record)])

    async def _take(self, requests: Sequence[Request], step: Step) -> None:
        lease, lasts_s = self._engine.lease, self._engine.crm.settle_s(CONTACT)
        sent: list[Request] = []
        try:
            with lease.during_call(lasts_s):
                sent += [self._sent(request, step) for request in requests]
                is_done = await step.act()
        except UnknownOutcomeError:
            self.counts["unknown"] += len(sent)
            return
        except (TransientError, AccessError):
            self._take_back(requests)
            raise
        if not is_done:
            self._take_back(requests)
            return
        for request in sent:
            self._end(request, RequestState.DONE, step.said)
            self.counts[f"applied.crm.{request.deed.value}"] += 1

    def _sent(self, request: Request, step: Step) -> Request:
        before = request.before if request.state is RequestState.SENT else step.before
        now = self._engine.clock.now()
        sent = replace(request, state=RequestState.SENT, sent_at=now, before=before, after=step.after)
        self._engine.store.save_request(sent)
        return sent

    def _take_back(self, requests: Sequence[Request]) -> None:
        """Nothing was done: they are as they were before."""
        for request in requests:
            self._engine.store.save_request(request)

    @contextmanager
    def _others_going_on(self, requests: Sequence[Request]) -> Iterator[None]:
        """A deed that the application user has no right to waits with the reason until the next pass; the sync and the
        other requests do not wait for it."""
        try:
            yield
        except AccessError as error:
            numbers = {request.number for request in requests}
            self._lacking |= numbers
            for request in self._engine.store.load_open_requests():
                if request.number in numbers:
                    self._engine.store.save_request(replace(request, said=str(error)))

    def _has_settled(self, request: Request) -> bool:
        """Whether the call that got no answer can no longer land."""
        assert request.sent_at is not None, "what was sent has a time"
        return self._engine.clock.now() >= request.sent_at + timedelta(seconds=self._engine.crm.settle_s(CONTACT))

    # --- ending

    async def _refuse_the_hopeless(self, requests: Sequence[Request], links: Links) -> None:
        errors = {row.link: row.error for row in self._engine.store.load_rejected(10_000)} if requests else {}
        for request in requests:
            link = links.get(request.person)
            if link is None:
                reason = await self._why_unlinked(request)
            elif link.status is LinkStatus.TOMBSTONE:
                reason = None if request.arguments.get("resurrect") else DELETED
            else:
                reason = errors.get(link.number) if link.status is LinkStatus.PENDING else None
            if reason is not None:
                self._end(request, RequestState.REFUSED, reason)

    async def _why_unlinked(self, request: Request) -> str | None:
        (state,) = await read_by_id(self._engine, Side.MARKETING, PERSON, [request.person])
        (subject,) = await look(self._engine, PERSON, [Claim(link=None, crm=None, marketing=state)], in_inbox=False)
        return KNOWN if subject.dedupe_taken else None

    def _end(self, request: Request, state: RequestState, said: str) -> None:
        engine = self._engine
        engine.store.save_request(replace(request, state=state, finished_at=engine.clock.now(), said=said))
        self.counts[f"requests.{state.value}"] += 1


DELETED: Final = "The person's record was deleted in Dynamics; ask with resurrect to have it made anew."
KNOWN: Final = (
    "Dynamics has a lead or contact with this person's e-mail address or key, which is not part of the sync:"
    " see the filters and what is held."
)


def find_people(engine: Engine, requests: Sequence[Request]) -> Links:
    people = {request.person for request in requests}
    return engine.store.find_links(Side.MARKETING, PERSON, people) if people else {}


def record_of(request: Request, links: Links) -> RecordKey | None:
    """The record that the request names, or its person's."""
    entity, _, id_ = (request.text("record") or "").partition("/")
    if id_:
        return RecordKey(Side.CRM, Entity(entity), RecordId(id_))
    return live_record(links.get(request.person))


async def is_there(engine: Engine, record: RecordKey) -> bool:
    """Read now: a deletion that no pass has seen yet still has a live link."""
    (state,) = await read_by_id(engine, Side.CRM, record.entity, [record.id])
    return state.is_present


def live_record(link: Link | None) -> RecordKey | None:
    """The person's record in Dynamics."""
    return link.crm if link is not None and link.status is LinkStatus.LIVE else None


def _found_or_made(request: Request) -> str:
    return "created" if request.before == NOT_THERE else "exists already"


def _to_the_front(engine: Engine, states: Sequence[State]) -> None:
    search = search_keys(engine, PERSON, states)
    engine.store.save_page(Side.MARKETING, PERSON, states, [], None, complete_until=None, search=search, lane=Lane.HOT)

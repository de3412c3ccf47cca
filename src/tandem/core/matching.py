"""The match of one record in the light of what a person decided, and the question to a person where there is none.

A decision is honoured as long as the world it was made in stands: a person chosen who is gone, or belongs to another
record by now, is asked for again.
"""

from dataclasses import replace
from typing import Final

from tandem.core.creation import pending
from tandem.core.decisions import CreateNew, LinkTo
from tandem.core.mapping import EntityMapping
from tandem.core.match import Ambiguous, Match, Matched, Unmatched, carries_no_other_key, match_record
from tandem.core.plan import Candidate, Hold, LinkPlan, Question
from tandem.core.record import State
from tandem.core.subject import Case

GONE: Final = "the person who was chosen is gone or taken"


def decided_match(case: Case, crm: State) -> Match:
    subject = case.subject
    match subject.decision:
        case LinkTo(id_):
            chosen = next((state for state in subject.candidates if state.key.id == id_), None)
            if chosen is not None and carries_no_other_key(case.mapping, chosen, crm):
                return Matched(chosen, "as decided")
            return Ambiguous(GONE, f"{GONE}: {id_}", subject.candidates)
        case CreateNew():
            return Unmatched()
        case _:
            return match_record(case.mapping, crm, subject.candidates, case.policy.prefer, subject.rivals)


def asked(case: Case, crm: State, unclear: Ambiguous) -> LinkPlan:
    """Held until somebody decides; the link keeps the question, and the record's rows leave the inbox."""
    candidates = tuple(candidate_of(case.mapping, state) for state in unclear.candidates)
    plan = pending(case, crm, holds=(Hold(None, unclear.reason),))
    return replace(plan, question=Question(unclear.cause, candidates))


def left_out(case: Case, crm: State) -> LinkPlan:
    plan = pending(case, crm, holds=(Hold(None, "stays without a person in marketing, as decided"),))
    return replace(plan, question=Question("", is_settled=True))


def candidate_of(mapping: EntityMapping, state: State) -> Candidate:
    modified = mapping.marketing_value(state.values, "updatedAt")
    return Candidate(state.key.id, None if modified is None else str(modified))

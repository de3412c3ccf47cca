"""Keys, links and bases: what the rest of the core takes for granted of them."""

import pytest

from tandem.core.record import (
    CONTACT,
    PERSON,
    UNKNOWN,
    Base,
    Link,
    LinkNumber,
    LinkStatus,
    Presence,
    ReadNumber,
    RecordId,
    RecordKey,
    Side,
    State,
)

CRM = RecordKey(Side.CRM, CONTACT, RecordId("c1"))
MARKETING = RecordKey(Side.MARKETING, PERSON, RecordId("1"))


def test_each_side_is_the_others_other() -> None:
    assert Side.CRM.other is Side.MARKETING
    assert Side.MARKETING.other is Side.CRM


@pytest.mark.parametrize(
    ("presence", "expected"), [(Presence.PRESENT, True), (Presence.SUSPECT, False), (Presence.GONE, False)]
)
def test_only_a_record_that_was_read_is_present(presence: Presence, expected: bool) -> None:
    assert State(CRM, ReadNumber(1), presence=presence).is_present is expected


def test_a_link_tells_its_ends_and_writes_by_side() -> None:
    link = Link(
        LinkNumber(1), CRM, MARKETING, Base.unknown(0), crm_written=ReadNumber(3), marketing_written=ReadNumber(5)
    )
    assert link.status is LinkStatus.LIVE
    assert (link.end(Side.CRM), link.end(Side.MARKETING)) == (CRM, MARKETING)
    assert (link.written(Side.CRM), link.written(Side.MARKETING)) == (3, 5)


def test_a_base_moves_only_in_the_places_named_and_in_both_halves() -> None:
    base = Base.unknown(3)
    moved = base.replaced({1: (0, False)})
    assert moved == Base((UNKNOWN, 0, UNKNOWN), (UNKNOWN, False, UNKNOWN))
    assert moved.replaced({}) is moved
    assert base == Base.unknown(3)
    assert repr(UNKNOWN) == "UNKNOWN"

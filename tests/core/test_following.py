"""Which columns of a record that others show have moved, told by its own row."""

from dataclasses import replace
from typing import Any

import pytest

from tandem.core.following import moved_by, shown_pairs, with_follows
from tandem.core.mapping import Watch
from tandem.core.plan import Action, ActionKind, FieldWrite, LinkPlan, Plan
from tandem.core.record import ACCOUNT, CONTACT, PERSON, Base, Entity, LinkStatus, RecordId, Side
from tandem.core.subject import Rules
from tests.builders import small_mappings, small_policies
from tests.core.people import ada_linked, in_crm, in_marketing, subject

COLUMNS = ("lastname", "fullname", "birthdate")
"""Mapped; made of mapped ones; neither."""


def moved(version: str = "v2", **values: Any) -> tuple[str, ...]:
    """What moves of Ada, who is linked as she was at ``v1``, when she is read like this and nothing is decided."""
    link, crm = ada_linked(), in_crm(version=version, **values)
    rules = Rules("test", small_mappings(), small_policies(), shown={CONTACT: frozenset(COLUMNS)})
    planned = LinkPlan(
        "Ada", CONTACT, link.number, link.crm, link.marketing, link.status, link.base, changes_link=False
    )
    (stamped,) = with_follows(Plan((planned,)), [subject(link, crm, in_marketing())], rules).links
    assert stamped.moved_at == (crm.read_number if stamped.moved else None)
    return tuple(sorted(stamped.moved))


def test_nothing_moves_while_the_version_stands() -> None:
    assert moved("v1") == ()


def test_a_column_that_is_not_mapped_moves_with_any_change_of_the_row() -> None:
    assert moved(telephone1="+44 1") == ("birthdate",)


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        ({"lastname": "King"}, ("birthdate", "fullname", "lastname")),
        ({"firstname": "Augusta"}, ("birthdate", "fullname")),
        ({"lastname": None}, ("birthdate", "fullname", "lastname")),
    ],
)
def test_a_mapped_column_moves_with_its_value_and_a_made_one_with_its_parts(
    values: dict[str, Any], columns: tuple[str, ...]
) -> None:
    assert moved(**values) == columns


def test_of_a_record_that_was_never_planned_every_column_moves() -> None:
    crm = in_crm()
    rules = Rules("test", small_mappings(), small_policies(), shown={CONTACT: frozenset(COLUMNS)})
    new = LinkPlan("Ada", CONTACT, None, crm.key, None, LinkStatus.PENDING, Base.unknown(9))
    (stamped,) = with_follows(Plan((new,)), [subject(None, crm)], rules).links
    assert (sorted(stamped.moved), stamped.moved_at) == (sorted(COLUMNS), crm.read_number)


def update(side: Side, entity: Entity, **fields: str) -> Action:
    """`fields`: the pair's name by the field that is written."""
    writes = tuple(FieldWrite(pair, field, None, "x", "x", "edit") for field, pair in fields.items())
    return Action(side, entity, ActionKind.UPDATE, RecordId("1"), writes)


def test_what_is_written_to_crm_moves_its_columns_too() -> None:
    assert moved_by(update(Side.CRM, CONTACT, lastname="lastname|lastName")) == {
        "lastname|lastName",
        "lastname",
        "fullname",
    }


def test_what_is_written_to_marketing_moves_pairs_only() -> None:
    """Its column moved when crm was read."""
    assert moved_by(update(Side.MARKETING, PERSON, lastName="lastname|lastName")) == {"lastname|lastName"}


def test_watched_columns_are_shown() -> None:
    mapping = small_mappings()[CONTACT]
    watches = (Watch("parentcustomerid.@id", ACCOUNT, "name"), Watch("parentcustomerid.@id", CONTACT, "fullname"))
    pairs = (*mapping.pairs[:-1], replace(mapping.pairs[-1], watches=watches))
    shown = shown_pairs([replace(mapping, pairs=pairs)])
    assert shown == {ACCOUNT: {"name"}, CONTACT: {"fullname"}}

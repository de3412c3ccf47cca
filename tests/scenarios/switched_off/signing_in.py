"""Rows N104 to N112 and N118: signing in, rights, languages, and own writes that come back."""

import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from tandem.app import build, permissions
from tandem.config import secrets
from tandem.config.model import Config
from tandem.connectors.dynamics import auth, schema
from tandem.connectors.dynamics.connector import DynamicsConnector
from tandem.core import merge, read_back
from tandem.core.errors import AccessError, ConfigError, RemoteError
from tandem.core.mapping import FieldPair
from tandem.core.record import CONTACT, Side, Value
from tandem.core.record import PERSON as PEOPLE
from tandem.ports import Store
from tandem.store import rules
from tests.scenarios.switched_off.cases import switched_off

SIGNING_IN: Final = "tests/scenarios/test_signing_in.py"
BY_SECRET: Final = f"{SIGNING_IN}::test_an_application_user_signs_in_by_secret"
BY_CERTIFICATE: Final = f"{SIGNING_IN}::test_an_application_user_signs_in_by_certificate"
BY_PASSWORD: Final = f"{SIGNING_IN}::test_a_user_signs_in_by_password"
SECOND_FACTOR: Final = f"{SIGNING_IN}::test_the_second_factor_of_people_does_not_stop_an_application_user"
TWO_WAYS: Final = f"{SIGNING_IN}::test_the_way_of_signing_in_is_changed_between_two_passes"
PERSON: Final = "integration@contoso.onmicrosoft.example"
"""Whose password the emulator knows."""


def _sign_in_with(monkeypatch: pytest.MonkeyPatch, mode: auth.AuthMode) -> None:
    """Whatever the settings say: as the person whose password is at hand, or as the application."""
    ask = auth.TokenSource._ask

    def otherwise(self: auth.TokenSource) -> Mapping[str, Any]:
        meant, password = self._credentials, os.environ.get("TANDEM_CRM_PASSWORD", "")
        self._credentials = replace(meant, mode=mode, username=PERSON, password=password)
        try:
            return ask(self)
        finally:
            self._credentials = meant

    monkeypatch.setattr(auth.TokenSource, "_ask", otherwise)


@switched_off("N104", test=BY_SECRET, notices='writer(stage)["applicationid"] ==')
def a_person_signs_in_where_an_application_user_should(monkeypatch: pytest.MonkeyPatch) -> None:
    _sign_in_with(monkeypatch, "password")


@switched_off("N111", "N112", test=SECOND_FACTOR, notices="assert (await stage.check()).is_ok")
def an_application_user_is_asked_what_people_are(monkeypatch: pytest.MonkeyPatch) -> None:
    _sign_in_with(monkeypatch, "password")


@switched_off("N111", test=SECOND_FACTOR, notices="'multi-factor' in")
def nobody_says_that_a_second_factor_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    def unnamed(self: auth.TokenSource, answer: Mapping[str, Any]) -> RemoteError:
        return AccessError("Dynamics sign-in was refused.", side=Side.CRM, operation="sign-in")

    monkeypatch.setattr(auth.TokenSource, "_refusal", unnamed)


@switched_off("N110", test=BY_PASSWORD, notices='writer(stage)["domainname"] ==')
def the_application_signs_in_where_a_user_should(monkeypatch: pytest.MonkeyPatch) -> None:
    _sign_in_with(monkeypatch, "client_credentials")


@switched_off("N110", test=BY_PASSWORD, notices="The secret crm_client_secret is missing")
def a_password_needs_the_secret_of_an_application_too(monkeypatch: pytest.MonkeyPatch) -> None:
    find = secrets.find_secret

    def demanded(name: str, environment: Mapping[str, str] = os.environ) -> str:
        found = find(name, environment)
        if found is None:
            raise ConfigError(f"The secret {name} is missing.")
        return found

    monkeypatch.setattr(secrets, "find_secret", demanded)


@switched_off("N109", test=BY_SECRET, notices="assert (await stage.check()).is_ok")
def a_secret_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    proof = auth.Credentials.proof

    def by_certificate(self: auth.Credentials) -> str | dict[str, str] | None:
        return proof(self) if self.certificate_file else None

    monkeypatch.setattr(auth.Credentials, "proof", by_certificate)


@switched_off("N109", test=BY_CERTIFICATE, notices="assert (await secure.check()).is_ok")
def a_certificate_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    def by_secret(self: auth.Credentials) -> str | None:
        return self.client_secret

    monkeypatch.setattr(auth.Credentials, "proof", by_secret)


@switched_off("N118", test=TWO_WAYS, notices="another Dynamics organisation")
def another_user_is_another_organisation(monkeypatch: pytest.MonkeyPatch) -> None:
    fetch = DynamicsConnector.fetch_identity

    async def with_user(self: DynamicsConnector) -> Mapping[str, str]:
        found = await fetch(self)
        return {**found, "organization_id": f"{found['organization_id']} {found['user_id']}"}

    monkeypatch.setattr(DynamicsConnector, "fetch_identity", with_user)


@switched_off("N118", test=TWO_WAYS, notices="(report.writes, report.records) == (0, 0)")
def another_way_of_signing_in_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    open_state, ways = build.open_state, list[str]()

    def forgetting(config: Config) -> Store:
        store = open_state(config)
        if ways and ways[-1] != config.crm.auth:
            store.reset_cursor(Side.CRM, CONTACT)
            store.reset_cursor(Side.MARKETING, PEOPLE)
        ways.append(config.crm.auth)
        return store

    monkeypatch.setattr(build, "open_state", forgetting)


@switched_off("N106", story="user-language", notices="a column with a German label goes over")
def columns_go_by_their_english_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    column = schema._column

    def known_in_english(attribute: schema._Attribute, *more: Any) -> schema.Column:
        labels = {label.language: label.text for label in attribute.label.all} if attribute.label else {}
        is_known = not labels or schema._label(attribute.label) == labels.get(1033)
        found = column(attribute, *more)
        return found if is_known else replace(found, is_readable=False)

    monkeypatch.setattr(schema, "_column", known_in_english)


@switched_off("N106", story="user-language", notices="a choice shows the German label")
def choices_show_english_labels_to_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    def in_english(self: schema._Detail) -> dict[int, str]:
        return self.languages().get(1033, {})

    monkeypatch.setattr(schema._Detail, "choices", in_english)


LEAST_ROLE: Final = "tests/scenarios/test_permissions.py::test_a_feature_works_with_the_least_role[people]"


@switched_off("N105", test=LEAST_ROLE, notices="prvWriteContact")
def the_table_of_rights_lacks_one(monkeypatch: pytest.MonkeyPatch) -> None:
    table = tuple(line for line in permissions._TABLE if line.feature.name != "back")
    monkeypatch.setattr(permissions, "_TABLE", table)


@switched_off("N108", story="own-writes-come-back", notices="and nothing is written for it")
def own_writes_are_not_known_by_their_values(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*given: Any) -> dict[int, tuple[Value, Value]]:
        return {}

    def differ(pair: FieldPair, crm: Value, marketing: Value) -> bool:
        return False

    monkeypatch.setattr(rules, "agreed", nothing)
    monkeypatch.setattr(merge, "agree", differ)


@switched_off("N108", story="target-trims", notices="not apart, although Marketo trims")
def what_marketo_made_of_a_write_is_an_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = read_back.judge

    def simple(*given: Any, **more: Any) -> read_back.Verdict:
        verdict = judge(*given, **more)
        return read_back.Arrived(is_final=True) if isinstance(verdict, read_back.Narrowed) else verdict

    monkeypatch.setattr(read_back, "judge", simple)

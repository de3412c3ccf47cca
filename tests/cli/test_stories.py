"""Stories on the command line: which there are, and one that nobody knows. How they are played is in scenarios."""

import json

from typer.testing import CliRunner

from tandem.app.demo.stories.catalogue import all_stories
from tandem.cli.main import app

NEEDED = {
    "qualify-with-account", "qualify-during-write", "disqualify-reopen", "crm-merge", "marketing-merge",
    "merge-both-at-once", "reparent-person", "lose-account", "lead-company-name", "team-owner", "owner-disabled",
    "role-added-removed", "opportunity-won-reopened", "opportunity-deleted", "connection-pairs", "custom-entity-live",
    "custom-entity-three-levels", "many-to-many", "campaign-members", "filter-entered", "filter-left",
    "filter-empty-trap", "field-added-backfill", "field-deleted", "field-retyped", "option-renamed",
    "opt-out-conflict", "deleted-in-crm", "deleted-in-marketing-then-edited", "resurrect-by-choice",
    "push-by-webhook", "push-again-no-effect", "change-owner-hook", "duplicate-candidates", "shared-inbox-address",
    "child-before-parent", "long-text-narrowed", "boolean-null", "time-zones", "multi-select",
}  # fmt: skip


def test_every_story_is_listed_with_its_sentence() -> None:
    listed = CliRunner().invoke(app, ["demo", "--list-stories"])
    assert listed.exit_code == 0
    assert [line.partition(":")[0] for line in listed.stdout.splitlines()] == [story.name for story in all_stories()]
    assert all(line.partition(": ")[2] for line in listed.stdout.splitlines())


def test_the_list_is_a_document_too() -> None:
    listed = json.loads(CliRunner().invoke(app, ["demo", "--list-stories", "--json"]).stdout)
    assert [each["story"] for each in listed] == [story.name for story in all_stories()]


def test_the_stories_that_a_newcomer_asks_for_are_there() -> None:
    assert NEEDED - {story.name for story in all_stories()} == set()


def test_a_story_that_nobody_knows_is_refused_with_the_nearest() -> None:
    refused = CliRunner().invoke(app, ["demo", "--story", "edits-both-way", "--once", "--json"])
    assert refused.exit_code == 2
    assert "did you mean edits-both-ways" in refused.output

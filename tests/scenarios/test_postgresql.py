"""One whole story with PostgreSQL as the store: the first copy, live edits, a conflict, and both sides agree."""

from pathlib import Path

from tandem.app import queries
from tests.scenarios.stage import running_stage


async def test_a_first_copy_and_live_edits_on_postgresql(tmp_path: Path, postgresql_url: str) -> None:
    url = postgresql_url.replace("postgresql+psycopg://", "postgresql://")
    more = f'[store]\nurl = "{url}"\n'
    with running_stage(tmp_path, people=120, marketing_people=60, seed=91, more=more) as stage:
        report = await stage.sync()
        assert report.is_first_copy
        assert report.writes > 100
        await stage.sync_until_quiet()
        assert (await stage.verify()).is_clean

        id_, *others = [id_ for id_, row in stage.crm.records("contact").items() if row["statecode"] == 0]
        person = stage.person_of(id_)["id"]
        stage.crm.edit("contact", id_, jobtitle="Typed in Dynamics")
        stage.edit_person(person, title="Typed in Marketo", phone="+44 1")
        stage.crm.delete("contact", others[0])
        gone = stage.person_of(others[0])["id"]
        await stage.sync_until(
            lambda: stage.crm_has("contact", id_, telephone1="+44 1") and stage.has(id_, title="Typed in Dynamics")
        )
        await stage.sync_until(lambda: stage.everyone()[gone]["microsoftIsDeleted"])
        await stage.sync_until_quiet()
        assert "both changed" in [line.kind for line in stage.conflicts_of(id_)]
        assert (await stage.verify()).is_clean
        assert not (tmp_path / "tandem.db").exists()
        assert sum(line.linked for line in queries.status(stage.config).entities) > 120

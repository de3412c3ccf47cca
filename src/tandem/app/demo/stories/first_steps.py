"""What every sync does: a first copy, edits of both sides, and nothing more once people stop."""

from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Scene


@story("edits-both-ways", "An edit on either side arrives on the other", rows=("N1",))
async def edits_both_ways(scene: Scene) -> None:
    contact = await scene.crm_enter("contact", lastname="Both", emailaddress1="both@story.example", jobtitle="Clerk")
    await scene.settle()
    person = await scene.person_of(contact)
    scene.check("the contact became a person", person is not None and person["title"] == "Clerk")
    assert person is not None
    await scene.crm_edit("contact", contact, jobtitle="Director")
    await scene.marketing_edit(person["id"], phone="+44 1")
    await scene.settle()
    person, record = await scene.person_of(contact), await scene.crm_record("contact", contact)
    scene.check("the edit made in Dynamics is in Marketo", person is not None and person["title"] == "Director")
    scene.check("the edit made in Marketo is in Dynamics", record is not None and record["telephone1"] == "+44 1")

"""Values that the two sides hold differently: choices, long texts, unset two options, days and times."""

from tandem.app import queries
from tandem.app.demo.stories.columns import (
    ENGLISH,
    GERMAN,
    add_column,
    column_of,
    field_of,
    labelled,
    options,
    pairs_of_contacts,
    person_id,
    yes_or_no,
)
from tandem.app.demo.stories.registry import story
from tandem.app.demo.stories.scene import Row, Scene

# --- choices -------------------------------------------------------------------------------------------------------


@story("option-renamed", "A label is renamed: nobody is in conflict, and the new one goes over in the slow lane")
async def option_renamed(scene: Scene) -> None:
    await add_column(scene, "new_grade", "Picklist", OptionSet=options(((ENGLISH, "Gold"),), ((ENGLISH, "Silver"),)))
    scene.configure(pairs_of_contacts("crm = 'new_grade'\nmarketing = 'grade'\ncreate_as = 'string'"))
    contacts = [
        await scene.crm_enter(
            "contact", lastname=f"Grade {n}", emailaddress1=f"grade.{n}@story.example", new_grade=value
        )
        for n, value in enumerate((1, 2))
    ]
    await scene.settle()
    scene.check("labels go over", [await field_of(scene, c, "grade") for c in contacts] == ["Gold", "Silver"])
    await _rename_option(scene, 1, "Premium")
    await scene.marketing_edit(await person_id(scene, contacts[1]), grade="Gold")
    plan = await scene.plan()
    renamed = [action for action in plan.actions if any(field.after == "Premium" for field in action.fields)]
    scene.check("the plan shows who gets the new label", len(renamed) == 1)
    await scene.settle()
    scene.check("an old label still means its value", await column_of(scene, contacts[1], "new_grade") == 1)
    scene.check("the new label is there", await field_of(scene, contacts[0], "grade") == "Premium")
    scene.check("Dynamics is as it was", await column_of(scene, contacts[0], "new_grade") == 1)
    scene.check("nobody is in conflict", not any("grade" in line.field for line in scene.conflicts()))
    scene.check("nothing is held", not any("grade" in line for line in scene.held()))
    reasons = [line.reason for line in scene.status().filling if "labels renamed" in line.reason]
    scene.check("the status tells of it", reasons)


async def _rename_option(scene: Scene, value: int, label: str) -> None:
    body = {"EntityLogicalName": "contact", "AttributeLogicalName": "new_grade", "Value": value, "MergeLabels": False}
    await scene.web_api("POST", "UpdateOptionValue", {**body, "Label": labelled((ENGLISH, label))})


@story(
    "labels-in-two-languages",
    "A choice goes by its labels in the language of the settings, or by its numbers",
    rows=("N93",),
)
async def labels_in_two_languages(scene: Scene) -> None:
    texts = (((ENGLISH, "Blue"), (GERMAN, "Blau")), ((ENGLISH, "Red"), (GERMAN, "Rot")))
    await add_column(scene, "new_colour", "Picklist", OptionSet=options(*texts))
    await add_column(scene, "new_number", "Picklist", OptionSet=options(*texts))
    scene.configure(
        pairs_of_contacts(
            f"crm = 'new_colour'\nmarketing = 'farbe'\ncreate_as = 'string'\nlanguage = {GERMAN}",
            "crm = 'new_number'\nmarketing = 'colourNumber'\ncreate_as = 'string'\ntransform = 'number'",
        )
        + "[[entities.lead.fields]]\ncrm = 'leadqualitycode'\nmarketing = 'note'\ncreate_as = 'string'\n"
        + f"language = {GERMAN}\n"
    )
    lead = await scene.crm_enter(
        "lead", lastname="Seeded", emailaddress1="seeded.label@story.example", leadqualitycode=1
    )
    contact = await scene.crm_enter(
        "contact", lastname="Language", emailaddress1="language@story.example", new_colour=1, new_number=2
    )
    await scene.settle()
    scene.check("the German label is shown", await field_of(scene, contact, "farbe") == "Blau")
    scene.check("the number is shown", await field_of(scene, contact, "colourNumber") == "2")
    scene.check("Dynamics' own choices have labels in two languages", await field_of(scene, lead, "note") == "Heiß")
    scene.leave_apart(lead, "leadqualitycode", why="its label goes to another field here")
    person = await person_id(scene, contact)
    await scene.marketing_edit(person, farbe="Rot", colourNumber="1")
    await scene.settle()
    scene.check("a German label comes back as its value", await column_of(scene, contact, "new_colour") == 2)
    scene.check("and so does a number", await column_of(scene, contact, "new_number") == 1)
    await scene.marketing_edit(person, farbe="Blue")
    await scene.settle()
    held = [line for line in scene.held() if "farbe" in line]
    scene.check("a label of another language is held", held and "none of the choice's labels" in held[0])
    scene.check("and changes nothing", await column_of(scene, contact, "new_colour") == 2)
    await scene.marketing_edit(person, farbe="Rot")
    await scene.settle()
    scene.check("the hold ends when the text is a label", not any("farbe" in line for line in scene.held()))


@story(
    "user-language",
    "Tandem's user speaks German: tables and columns go by their names all the same, choices by the labels it is shown",
    rows=("N106",),
    crm_options={"user_language": GERMAN},
)
async def user_language(scene: Scene) -> None:
    await add_column(scene, "new_mood", DisplayName=labelled((ENGLISH, "Mood"), (GERMAN, "Stimmung")))
    scene.configure(pairs_of_contacts("crm = 'new_mood'\nmarketing = 'mood'\ncreate_as = 'string'"))
    contact = await scene.crm_enter("contact", lastname="Anna", emailaddress1="anna@story.example", new_mood="good")
    lead = await scene.crm_enter("lead", lastname="Heinz", emailaddress1="heinz@story.example", leadqualitycode=1)
    scene.check("check finds nothing in the way", (await scene.tandem("check")).status == 0)
    await scene.settle()
    scene.check("a column with a German label goes over", await field_of(scene, contact, "mood") == "good")
    await scene.marketing_edit(await person_id(scene, contact), mood="better")
    await scene.settle()
    scene.check("and comes back", await column_of(scene, contact, "new_mood") == "better")
    scene.check("a choice shows the German label", await field_of(scene, lead, "rating") == "Heiß")
    scene.leave_apart(lead, "leadqualitycode", why="its label is German")


@story("multi-select", "A choice of several is its labels in Marketo, in whatever order they are typed", rows=("N92",))
async def multi_select(scene: Scene) -> None:
    labels = [((ENGLISH, text),) for text in ("Hiking", "Sailing", "Chess")]
    await add_column(scene, "new_interests", "MultiSelectPicklist", OptionSet=options(*labels))
    scene.configure(pairs_of_contacts("crm = 'new_interests'\nmarketing = 'interests'\ncreate_as = 'string'"))
    contact = await scene.crm_enter(
        "contact", lastname="Several", emailaddress1="several@story.example", new_interests="3,1"
    )
    await scene.settle()
    scene.check("the labels are shown", await field_of(scene, contact, "interests") == "Hiking;Chess")
    person = await person_id(scene, contact)
    await scene.marketing_edit(person, interests="chess; Sailing")
    await scene.settle()
    scene.check("an edit comes back", sorted(str(await column_of(scene, contact, "new_interests"))) == sorted("2,3"))
    scene.check("and the text stays as it was typed", await field_of(scene, contact, "interests") == "chess; Sailing")
    await scene.marketing_edit(person, interests=None)
    await scene.settle()
    scene.check("none at all comes back too", not await column_of(scene, contact, "new_interests"))


# --- values that one side cannot hold ------------------------------------------------------------------------------


@story("long-text-narrowed", "A text that Marketo has no room for is cut, told once, and never comes back shorter")
async def long_text_narrowed(scene: Scene) -> None:
    await add_column(scene, "new_story", "Memo", MaxLength=100_000)
    scene.configure(pairs_of_contacts("crm = 'new_story'\nmarketing = 'story'\ncreate_as = 'string'"))
    text = "Grüße " * 60
    contact = await scene.crm_enter(
        "contact",
        lastname="Long",
        emailaddress1="long@story.example",
        new_story=text.strip(),
        description="ä" * 2_000,
    )
    await scene.settle()
    shown = str(await field_of(scene, contact, "story"))
    scene.check("as much as fits went over", len(shown) <= 255 and text.startswith(shown) and len(shown) > 240)
    scene.check("Dynamics keeps all of it", await column_of(scene, contact, "new_story") == text.strip())
    scene.check("a text that fits is whole", await field_of(scene, contact, "mktoPersonNotes") == "ä" * 2_000)
    told = [line for line in scene.conflicts(contact) if line.kind == "narrowed" and "new_story" in line.field]
    scene.check("it is told", len(told) == 1)
    await scene.crm_edit("contact", contact, jobtitle="Another edit")
    await scene.settle()
    told = [line for line in scene.conflicts(contact) if line.kind == "narrowed" and "new_story" in line.field]
    scene.check("once", len(told) == 1)
    await scene.marketing_edit(await person_id(scene, contact), story="Short")
    await scene.settle()
    scene.check(
        "an edit of the shorter text does not lose the rest", await column_of(scene, contact, "new_story") != "Short"
    )
    scene.check("but waits for a person", any("shortened" in line for line in scene.held()))
    await scene.crm_edit("contact", contact, new_story="Now it fits")
    await scene.settle()
    scene.check("who decides in Dynamics", await field_of(scene, contact, "story") == "Now it fits")


@story(
    "boolean-null", "Two options may be unset in Dynamics; Marketo has only yes and no, and nothing goes back and forth"
)
async def boolean_null(scene: Scene) -> None:
    await add_column(scene, "new_member", "Boolean", OptionSet=yes_or_no(), DefaultValue=False)
    scene.configure(pairs_of_contacts("crm = 'new_member'\nmarketing = 'isMember'\ncreate_as = 'boolean'"))
    unset = await scene.crm_enter("contact", lastname="Unset", emailaddress1="unset@story.example", new_member=None)
    member = await scene.crm_enter("contact", lastname="Member", emailaddress1="member@story.example", new_member=True)
    await scene.settle()
    scene.check("unset is no in Marketo", not await field_of(scene, unset, "isMember"))
    before = await column_of(scene, unset, "new_member")
    scene.check("and stays as it is in Dynamics", before is None)
    await scene.crm_edit("contact", member, new_member=None)
    await scene.settle()
    scene.check("a yes that is unset becomes no", await field_of(scene, member, "isMember") is False)
    await scene.marketing_edit(await person_id(scene, unset), isMember=True)
    await scene.settle()
    scene.check("a yes comes back", await column_of(scene, unset, "new_member"))


@story("time-zones", "Days and times: an instant, a time without a zone, a day, and a time that is a day elsewhere")
async def time_zones(scene: Scene) -> None:
    behaviours = {
        "new_instant": "UserLocal",
        "new_wall": "TimeZoneIndependent",
        "new_day": "DateOnly",
        "new_born": "UserLocal",
    }
    for name, behaviour in behaviours.items():
        shape = "DateOnly" if behaviour == "DateOnly" else "DateAndTime"
        await add_column(scene, name, "DateTime", DateTimeBehavior={"Value": behaviour}, Format=shape)
    scene.configure(
        "[crm]\ntime_zone = 'Europe/Berlin'\n"
        + pairs_of_contacts(
            "crm = 'new_instant'\nmarketing = 'instant'\ncreate_as = 'datetime'",
            "crm = 'new_wall'\nmarketing = 'wall'\ncreate_as = 'datetime'",
            "crm = 'new_day'\nmarketing = 'dayOnly'\ncreate_as = 'date'",
            "crm = 'new_born'\nmarketing = 'bornOn'\ncreate_as = 'date'",
        )
    )
    contact = await scene.crm_enter(
        "contact",
        lastname="Zone",
        emailaddress1="zone@story.example",
        new_instant="2026-03-01T23:30:00Z",
        new_wall="2026-03-01T23:30:00Z",
        new_day="2026-03-01",
        new_born="2026-03-01T23:30:00Z",
    )
    await scene.settle()
    person = await scene.person_of(contact) or {}
    scene.check("an instant is the same instant", str(person.get("instant"))[:16] == "2026-03-01T23:30")
    scene.check("a time without a zone stays as it reads", str(person.get("wall"))[:16] == "2026-03-01T23:30")
    scene.check("a day stays that day", person.get("dayOnly") == "2026-03-01")
    scene.check(
        "half an hour before midnight in London is the next day in Berlin", person.get("bornOn") == "2026-03-02"
    )
    await scene.marketing_edit(int(person["id"]), dayOnly="2026-04-05", bornOn="2026-07-01")
    await scene.settle()
    record: Row = await scene.crm_record("contact", contact) or {}
    scene.check("a day comes back as that day", str(record.get("new_day"))[:10] == "2026-04-05")
    scene.check("and as its midnight in Berlin", str(record.get("new_born")) == "2026-06-30T22:00:00Z")
    scene.check("nobody is in conflict", not queries.conflicts(scene.config, 10, only_open=True))

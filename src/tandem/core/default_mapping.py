"""The pairs that a fresh sync starts with: the native sync's default mapping (rows N73-N78), as data.

Names are Dataverse logical names and Marketo REST names. Where the native sync pairs a field that a fresh Marketo
lacks, the pair carries the label and type under which the lead field API can make it, or an admin where it cannot.

Departures, each on purpose: the account's state and its parent account are mapped (the native sync leaves them out);
``subject`` feeds one field instead of two, which would fight; a lead's company name and revenue go to fields of the
person, as Marketo's company fields are written with companies only; users and teams, for which no default is published,
become sales persons, so that an owner is never left blank because it is a team (N139).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tandem.core.mapping import Direction, Watch
from tandem.core.record import (
    ACCOUNT,
    COMPANY,
    CONNECTION,
    CONTACT,
    LEAD,
    OPPORTUNITY,
    OPPORTUNITY_CUSTOMER,
    OPPORTUNITY_ROLE,
    PERSON,
    SALESPERSON,
    TEAM,
    USER,
    Entity,
)


@dataclass(frozen=True, slots=True)
class DefaultPair:
    """One default line. ``label`` and ``native_type`` say how the marketing field is made where it is missing;
    without them it is one of Marketo's own."""

    crm: str
    marketing: str
    label: str = ""
    native_type: str = ""
    direction: Direction = Direction.BOTH
    opt_out: bool = False
    parents: tuple[Entity, ...] = ()
    can_be_emptied: bool = True
    watches: tuple[Watch, ...] = ()


@dataclass(frozen=True, slots=True)
class DefaultMapping:
    """The default pairs of one crm entity. ``crm_extras`` are columns the planner reads without carrying them.
    ``is_custom``: its counterpart is a custom object, called ``labels`` (one, several). ``key_parts``: the Marketo
    fields that together are its key, where no field holds the crm id; the ``key_field`` is one of them."""

    crm_entity: Entity
    marketing_entity: Entity
    key_field: str
    pairs: tuple[DefaultPair, ...]
    dedupe_field: str | None = None
    crm_extras: tuple[str, ...] = ()
    is_custom: bool = False
    labels: tuple[str, str] = ("", "")
    key_parts: tuple[str, ...] = ()


KEY_COLUMN: Final = "@id"
PERSON_KEY: Final = "externalPersonId"
OWN_PERSON_KEY: Final = DefaultPair(KEY_COLUMN, "tandemCrmId", "Tandem CRM Id", "string", Direction.TO_MARKETING)
"""The key of a person in an instance that does not describe ``externalPersonId``: made, and searchable as a string."""

COMPANY_FIELDS: Final = frozenset(
    {
        "company",
        "site",
        "billingStreet",
        "billingCity",
        "billingState",
        "billingCountry",
        "billingPostalCode",
        "website",
        "mainPhone",
        "annualRevenue",
        "numberOfEmployees",
        "industry",
        "sicCode",
        "mktoCompanyNotes",
    }
)
"""Fields a person only inherits from its company: describe lists them, Sync Leads does not write them."""


def _one_way(
    crm: str, marketing: str, label: str = "", native_type: str = "", *, parents: tuple[Entity, ...] = ()
) -> DefaultPair:
    return DefaultPair(crm, marketing, label, native_type, Direction.TO_MARKETING, parents=parents)


_PERSON: Final = (
    _one_way(KEY_COLUMN, PERSON_KEY),
    _one_way("@type", "microsoftType", "Microsoft Type", "string"),
    _one_way("@deleted", "microsoftIsDeleted", "Microsoft is Deleted", "boolean"),
    _one_way("createdon", "microsoftCreatedDate", "Microsoft Created Date", "datetime"),
    DefaultPair("salutation", "salutation"),
    DefaultPair("firstname", "firstName"),
    DefaultPair("middlename", "middleName"),
    DefaultPair("lastname", "lastName"),
    DefaultPair("emailaddress1", "email"),
    DefaultPair("jobtitle", "title"),
    DefaultPair("telephone1", "phone"),
    DefaultPair("mobilephone", "mobilePhone"),
    DefaultPair("address1_line1", "address"),
    DefaultPair("address1_city", "city"),
    DefaultPair("address1_stateorprovince", "state"),
    DefaultPair("address1_country", "country"),
    DefaultPair("address1_postalcode", "postalCode"),
    _one_way("statecode", "leadStatus"),
    _one_way("statuscode", "statusReason", "Status Reason", "string"),
    DefaultPair("description", "mktoPersonNotes"),
    DefaultPair("donotphone", "doNotCall", opt_out=True),
    DefaultPair("donotbulkemail", "unsubscribed", opt_out=True),
    DefaultPair("address1_line2", "microsoftAddress2", "Microsoft Address 2", "string"),
    DefaultPair("address1_line3", "microsoftAddress3", "Microsoft Address 3", "string"),
    DefaultPair("donotemail", "microsoftDoNotEmail", "Microsoft Do Not Email", "boolean", opt_out=True),
    DefaultPair("donotfax", "microsoftDoNotFax", "Microsoft Do Not Fax", "boolean", opt_out=True),
    DefaultPair(
        "donotsendmm",
        "microsoftDoNotSendMarketingMaterial",
        "Microsoft Do Not Send Marketing Material",
        "boolean",
        opt_out=True,
    ),
    DefaultPair("telephone2", "microsoftHomePhone", "Microsoft Home Phone", "phone"),
    DefaultPair(
        "preferredcontactmethodcode",
        "microsoftPreferredMethodOfContact",
        "Microsoft Preferred Method Of Contact",
        "string",
    ),
    DefaultPair(
        "mkt_lastinterestingmomentdate", "lastInterestingMomentDate", "Last Interesting Moment Date", "datetime"
    ),
    DefaultPair("mkt_lastinterestingmomentdesc", "lastInterestingMomentDesc", "Last Interesting Moment Desc", "string"),
    DefaultPair(
        "mkt_leadinterestingmomentsource", "lastInterestingMomentSource", "Last Interesting Moment Source", "string"
    ),
    DefaultPair("mkt_lastinterestingmomenttype", "lastInterestingMomentType", "Last Interesting Moment Type", "string"),
    DefaultPair("mkt_relativescore", "relativeScore"),
    DefaultPair("mkt_priority", "priority"),
    DefaultPair("mkt_urgency", "relativeUrgency"),
    _one_way("ownerid", "externalSalesPersonId", parents=(USER, TEAM)),
)

_LEAD: Final = (
    DefaultPair("fax", "fax"),
    DefaultPair("leadsourcecode", "leadSource"),
    DefaultPair("leadqualitycode", "rating"),
    DefaultPair("subject", "microsoftTopic", "Microsoft Topic", "string"),
    DefaultPair("companyname", "microsoftCompanyName", "Microsoft Company Name", "string"),
    DefaultPair("revenue", "microsoftAnnualRevenue", "Microsoft Annual Revenue", "currency"),
)

_CONTACT: Final = (
    DefaultPair("mkt_leadscore", "leadScore"),
    DefaultPair(
        "parentcustomerid",
        "externalCompanyId",
        direction=Direction.TO_MARKETING,
        parents=(ACCOUNT,),
        can_be_emptied=False,
    ),
)

_ACCOUNT: Final = (
    _one_way(KEY_COLUMN, "externalCompanyId"),
    _one_way("name", "company"),
    _one_way("address1_line1", "billingStreet"),
    _one_way("address1_line2", "microsoftBillingAddress2", "Microsoft Billing Address 2", "string"),
    _one_way("address1_line3", "microsoftBillingAddress3", "Microsoft Billing Address 3", "string"),
    _one_way("address1_city", "billingCity"),
    _one_way("address1_stateorprovince", "billingState"),
    _one_way("address1_country", "billingCountry"),
    _one_way("address1_postalcode", "billingPostalCode"),
    _one_way("telephone1", "mainPhone"),
    _one_way("businesstypecode", "businessType", "Business Type", "string"),
    _one_way("accountnumber", "microsoftAccountNumber", "Microsoft Account Number", "string"),
    _one_way("parentaccountid", "microsoftParentAccountId", "Microsoft Parent Account Id", "string"),
    _one_way("statecode", "microsoftCompanyStatus", "Microsoft Company Status", "string"),
    _one_way("revenue", "annualRevenue"),
    _one_way("description", "mktoCompanyNotes"),
    _one_way("industrycode", "industry"),
    _one_way("sic", "sicCode"),
    _one_way("websiteurl", "website"),
    _one_way("numberofemployees", "numberOfEmployees"),
    _one_way("ownerid", "externalSalesPersonId", parents=(USER, TEAM)),
)

_USER: Final = (
    _one_way(KEY_COLUMN, "externalSalesPersonId"),
    _one_way("internalemailaddress", "email"),
    _one_way("firstname", "firstName"),
    _one_way("lastname", "lastName"),
    _one_way("title", "title"),
    _one_way("address1_telephone1", "phone"),
    _one_way("mobilephone", "mobilePhone"),
    _one_way("address1_fax", "fax"),
)

_TEAM: Final = (
    _one_way(KEY_COLUMN, "externalSalesPersonId"),
    _one_way("name", "lastName"),
    _one_way("@type", "title"),
    _one_way("emailaddress", "email"),
)

_OPPORTUNITY: Final = (
    _one_way(KEY_COLUMN, "externalOpportunityId"),
    _one_way("name", "name"),
    _one_way("description", "description"),
    _one_way("statecode", "stage"),
    _one_way("closeprobability", "probability"),
    _one_way("actualclosedate", "closeDate"),
    _one_way("@amount", "amount"),
    _one_way("@expected_revenue", "expectedRevenue"),
    _one_way("@is_closed", "isClosed"),
    _one_way("@is_won", "isWon"),
    _one_way("createdon", "externalCreatedDate"),
    _one_way("ownerid", "externalSalesPersonId", parents=(USER, TEAM)),
    DefaultPair(
        "@account",
        "externalCompanyId",
        direction=Direction.TO_MARKETING,
        parents=(ACCOUNT,),
        watches=(Watch("contactid", CONTACT, "parentcustomerid"),),
    ),
)
"""The six pairs of the native sync, with the amount that is right before and after the opportunity is closed (N132)."""

_ROLE_KEY: Final = ("externalOpportunityId", "leadId", "role")


def _role_of(
    crm_entity: Entity, opportunity: str, person: str, parents: tuple[Entity, ...], *more: DefaultPair
) -> DefaultMapping:
    """A table whose records name an opportunity and a person, as roles."""
    pairs = (
        _one_way(opportunity, "externalOpportunityId", parents=(OPPORTUNITY,)),
        DefaultPair(person, "leadId", native_type="link", direction=Direction.TO_MARKETING, parents=parents),
        _one_way("@role", "role"),
        *more,
    )
    return DefaultMapping(crm_entity, OPPORTUNITY_ROLE, "externalOpportunityId", pairs, key_parts=_ROLE_KEY)


DEFAULT_MAPPINGS: Final[Mapping[Entity, DefaultMapping]] = {
    USER: DefaultMapping(USER, SALESPERSON, "externalSalesPersonId", _USER),
    TEAM: DefaultMapping(TEAM, SALESPERSON, "externalSalesPersonId", _TEAM),
    ACCOUNT: DefaultMapping(ACCOUNT, COMPANY, "externalCompanyId", _ACCOUNT),
    CONTACT: DefaultMapping(
        CONTACT,
        PERSON,
        PERSON_KEY,
        _PERSON + _CONTACT,
        "email",
        ("statecode", "originatingleadid", "masterid", "modifiedon"),
    ),
    LEAD: DefaultMapping(LEAD, PERSON, PERSON_KEY, _PERSON + _LEAD, "email", ("statecode", "masterid", "modifiedon")),
    OPPORTUNITY: DefaultMapping(
        OPPORTUNITY, OPPORTUNITY, "externalOpportunityId", _OPPORTUNITY, crm_extras=("contactid",)
    ),
    OPPORTUNITY_CUSTOMER: _role_of(
        OPPORTUNITY_CUSTOMER, KEY_COLUMN, "contactid", (CONTACT,), _one_way("@is_primary", "isPrimary")
    ),
    CONNECTION: _role_of(CONNECTION, "record1id", "record2id", (CONTACT, LEAD)),
}

"""The writer as the service has it: with the tables whose rows take other rows with them."""

from tandem_emulators.dataverse.addresses import Addresses
from tandem_emulators.dataverse.connections import Connections
from tandem_emulators.dataverse.marketing_lists import MarketingLists
from tandem_emulators.dataverse.opportunity_close import derive_opportunity
from tandem_emulators.dataverse.recycle_bin import RecycleBin
from tandem_emulators.dataverse.teams import Teams
from tandem_emulators.dataverse.writing import Writer


def install_rules(writer: Writer) -> None:
    """Call it before any other listener is added, so that those hear of a row after its companions are there."""
    connections, addresses = Connections(writer), Addresses(writer)
    lists, teams = MarketingLists(writer), Teams(writer)
    writer.computed.derivations |= {
        "connection": connections.derive,
        "customeraddress": addresses.derive,
        "list": lists.derive,
        "opportunity": derive_opportunity,
        "team": teams.derive,
    }
    companions = [connections.notice, addresses.notice, lists.notice, teams.notice]
    writer.events.listeners += [*companions, RecycleBin(writer).notice]

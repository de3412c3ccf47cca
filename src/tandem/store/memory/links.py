"""Links with their ends, and the links that wait for them or show something of them."""

from collections.abc import Collection
from dataclasses import replace

from tandem.core.record import Base, Entity, Link, LinkNumber, LinkStatus, RecordKey
from tandem.store.memory.feeds import MemoryFeeds
from tandem.store.memory.follows import find_followers
from tandem.store.memory.state import Linked
from tandem.store.rules import Names


class MemoryLinks(MemoryFeeds):
    def _put_link(self, link: Link, crm_entity: Entity) -> None:
        names = self._names(crm_entity, link.base)
        self.state.links[link.number] = Linked(link, crm_entity, names)
        index = self.state.dead if link.status is LinkStatus.TOMBSTONE else self.state.live
        index.update({key: link.number for key in (link.crm, link.marketing) if key})
        self._note_ids([link.marketing])

    def _names(self, crm_entity: Entity, base: Base) -> Names:
        names = self._pairs.get(crm_entity)
        assert names is not None, f"use_mappings comes before a link of {crm_entity} is stored"
        assert len(base.crm) == len(base.marketing) == len(names), f"a base of {crm_entity} misses its mapping"
        return names

    def _drop_ends(self, number: LinkNumber) -> None:
        for index in (self.state.live, self.state.dead):
            for key in self._ends(number):
                if key and index.get(key) == number:
                    del index[key]

    def _is_live(self, key: RecordKey) -> bool:
        number = self.state.live.get(key)
        return number is not None and self.state.links[number].link.status is LinkStatus.LIVE

    def _wake(self, link: Link) -> None:
        """Links waiting for one of these ends are due."""
        if link.status is not LinkStatus.LIVE:
            return
        for waiting, keys in self.state.waits.items():
            if link.crm in keys or link.marketing in keys:
                self._make_due(waiting)
                keys -= {link.crm, link.marketing}

    def _wake_followers(self, parent: RecordKey, pairs: Collection[str]) -> None:
        for number in list(find_followers(self.state, parent, pairs)):
            self._put_link(replace(self._link(number), crm_version=None), self.state.links[number].crm_entity)
            self._make_due(number)

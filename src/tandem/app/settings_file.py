"""Whether the settings file has changed since it was last read: looked at between passes, by time and content."""

import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from tandem.config.loading import load_config
from tandem.config.model import Config


@dataclass(slots=True)
class SettingsFile:
    """An editor may touch the file without a change, or save it in two steps: only other content counts, once."""

    path: Path
    _stamp: tuple[int, int] | None = field(init=False)
    _digest: bytes | None = field(init=False)

    def __post_init__(self) -> None:
        self._stamp, self._digest = self._look()

    def load_if_changed(self) -> Config | None:
        """
        Raises:
            ConfigError: it has changed, and cannot be used as it is. The next look is for another change.
        """
        if self._stamp_now() == self._stamp:
            return None
        stamp, digest = self._look()
        is_new = digest != self._digest
        self._stamp, self._digest = stamp, digest
        return load_config(self.path) if is_new else None

    def _look(self) -> tuple[tuple[int, int] | None, bytes | None]:
        stamp = self._stamp_now()
        try:
            return stamp, sha256(self.path.read_bytes()).digest()
        except OSError:
            return stamp, None

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = os.stat(self.path)
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size

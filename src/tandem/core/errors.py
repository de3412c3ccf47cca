"""Every error we raise on purpose, sorted by what the caller does next, not by where the error was born.

A message names the setting, file, record or field and the remedy; never a value of a person.
"""

from tandem.core.record import Side


class TandemError(Exception):
    """The root. Its text is one sentence that an operator can act on."""


class ConfigError(TandemError):
    """Do not start; the message says which setting and what would be right."""


class PausedError(TandemError):
    """A person has paused the sync: do nothing until that person, or another one, resumes it."""


class RemoteError(TandemError):
    """A side did not do what was asked."""

    def __init__(self, message: str, *, side: Side, operation: str = "", code: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.side = side
        self.operation = operation
        self.code = code
        self.request_id = request_id


class TransientError(RemoteError):
    """Surely not done; the same call again, later. ``retry_after_s`` if the side said when."""

    def __init__(
        self,
        message: str,
        *,
        side: Side,
        operation: str = "",
        code: str = "",
        request_id: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message, side=side, operation=operation, code=code, request_id=request_id)
        self.retry_after_s = retry_after_s


class AccessError(RemoteError):
    """Credentials or permission: pause the side, tell a person."""


class RejectedError(RemoteError):
    """This request will not pass as it is: dead letter, go on with the next."""


class CursorExpiredError(RemoteError):
    """The side forgot this cursor: backfill."""


class SchemaChangedError(RemoteError):
    """A mapped table or field is gone, renamed or of another type: resolve the mapping anew and open the engine again.
    The message names the entity, and the field where the side named it."""


class UnknownOutcomeError(RemoteError):
    """The write may have happened: look before any retry."""


class StoreError(TandemError):
    """The state store cannot be used."""


class LeaseLostError(StoreError):
    """Another worker holds the sync now: stop writing at once."""


class SchemaVersionError(StoreError):
    """The store was written by another version of Tandem: do not start."""

"""The two ways in which a handler leaves without an answer of its own."""


class ControlError(Exception):
    """The control API was asked for something it cannot do; the text goes to the caller as a sentence (400)."""


class ConnectionDroppedError(Exception):
    """The connection must end here without a response. What was applied before stays applied."""

"""What can go wrong while asking a source: one tree, one class per thing a caller treats differently.

Every message says what happened, where, and what to do next, in one sentence. No message carries a secret.
"""

from __future__ import annotations


class ConnectorError(Exception):
    """A source could not be asked, or its answer could not be used."""


class BadInput(ConnectorError):
    """A file, address, filter or option given by the user is wrong; the message says how to put it right."""


class NaiveTime(BadInput):
    """A time without a zone was met, and no `tz` option says how to read it."""


class UnknownField(BadInput):
    """A field was named that the table does not have; near-misses are named."""


class NotExpressible(ConnectorError):
    """The backend's own language has no exact form for a part of the filter; the part is named."""


class SourceUnavailable(ConnectorError):
    """The source could not be reached or broke off: connection refused, a stall past the deadline, a 5xx."""


class AccessDenied(ConnectorError):
    """The source answered and refused: missing, wrong or expired credentials, or a missing privilege."""


class NotFound(ConnectorError):
    """The source answered that the index, metric, file or repository does not exist."""


class OverBudget(ConnectorError):
    """A question's estimated cost is over the budget; the message has the estimate and the option that allows it."""


class NotRecorded(ConnectorError):
    """Replay was asked a question whose answer was never recorded."""

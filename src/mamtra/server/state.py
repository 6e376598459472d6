"""What the routes of a server share."""

from dataclasses import dataclass, field

from mamtra.server.config import ServeConfig
from mamtra.server.metrics import Metrics
from mamtra.server.models import Models


@dataclass(slots=True)
class ServerState:
    """What the routes share."""

    config: ServeConfig
    models: Models
    metrics: Metrics = field(default_factory=Metrics)
    draining: bool = False
    open_sockets: int = 0

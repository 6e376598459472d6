"""mamtra behind Ray Serve: the same application, as many replicas as the cluster has room for.

    pip install 'mamtra[serve]' 'ray[serve]'
    serve run deploy.ray_serve:app

Each replica is one process with a model of its own. MAMTRA_MODEL names another model than nano, and
MAMTRA_API_KEY the keys that clients need.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

from ray import serve

from mamtra.cli.serve import keys_from
from mamtra.server.app import make_app
from mamtra.server.config import ServeConfig
from mamtra.server.run import open_models


@serve.deployment(
    ray_actor_options={"num_cpus": 1},
    autoscaling_config={"min_replicas": 1, "max_replicas": 8, "target_ongoing_requests": 4},
    max_ongoing_requests=20,
)
class Speech:
    """One replica."""

    def __init__(self) -> None:
        keys = keys_from([], None)
        # the proxy in front decides who reaches it; without keys everybody who does may speak
        config = ServeConfig(host="0.0.0.0", api_keys=keys, no_auth=not keys)
        names = os.environ.get("MAMTRA_MODEL", "nano").split()
        self.asgi = make_app(open_models(names, config, "cpu", 1))

    async def __call__(
        self,
        scope: dict[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """One request, as ASGI passes it."""
        await self.asgi(scope, receive, send)


app = Speech.bind()

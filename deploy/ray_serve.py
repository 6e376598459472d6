"""mamtra behind Ray Serve: the same application, as many replicas as the cluster has room for.

    pip install '.[serve]' 'ray[serve]'
    serve run deploy.ray_serve:app

Each replica is one process with a model of its own. MAMTRA_MODEL names another model than nano, and
MAMTRA_API_KEY the keys that clients need.
"""

import os
from typing import Any

from ray import serve


def application() -> Any:
    """The application of one replica, made where it runs."""
    from mamtra.cli.serve import keys_from
    from mamtra.server.app import make_app
    from mamtra.server.config import ServeConfig
    from mamtra.server.run import open_models

    keys = keys_from([], None)
    # the proxy in front decides who reaches it; without keys everybody who does may speak
    config = ServeConfig(host="0.0.0.0", api_keys=keys, no_auth=not keys)
    names = os.environ.get("MAMTRA_MODEL", "nano").split()
    return make_app(open_models(names, config, "cpu", 1))


Speech = serve.deployment(
    serve.ingress(application)(),
    name="speech",
    ray_actor_options={"num_cpus": 1},
    autoscaling_config={"min_replicas": 1, "max_replicas": 8, "target_ongoing_requests": 4},
    max_ongoing_requests=20,
)
app = Speech.bind()

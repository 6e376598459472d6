"""How well a speech language model predicts sequences that it was not trained on."""

from collections.abc import Iterable

import torch

from mamtra.errors import ConfigError
from mamtra.speech_lm.batch import Batch
from mamtra.speech_lm.model import SpeechLM


@torch.inference_mode()
def mean_cross_entropy(model: SpeechLM, batches: Iterable[Batch]) -> float:
    """Mean cross entropy over all ids that are to be predicted, in nats.

    Args:
        model: in evaluation mode.
        batches: on any device.

    Raises:
        ConfigError: there are no batches.
    """
    nats, count = 0.0, 0
    for batch in batches:
        losses = model.loss(batch.to(model.device))
        nats += float(losses.loss) * losses.predicted
        count += losses.predicted
    if not count:
        raise ConfigError("there are no sequences to measure the cross entropy on")
    return nats / count

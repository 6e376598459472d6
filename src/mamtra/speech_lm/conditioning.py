"""What a Chatterbox language model reads beside ids: a voice, and learned positions.

Before the text stand a few vectors that describe the voice: its speaker vector, the speech tokens
of its recording resampled to a fixed number of vectors (a perceiver), and how lively it shall be.
Text and speech ids get learned positions, counted in each from 0, besides the rotary ones.

Axes: b batch, t time, d dim, q queries, h heads, w width of a head.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from mamtra.errors import ConfigError, GenerationError
from mamtra.speech_lm.batch import FIRST_TEXT_ROW, Batch
from mamtra.speech_lm.conditioning_config import ConditioningConfig
from mamtra.speech_lm.prompt import SpeakerPrompt, check_length, check_voice


class Resampler(nn.Module):
    """A perceiver: learned queries look at a prompt, then at each other, with the same weights."""

    def __init__(self, dim: int, config: ConditioningConfig) -> None:
        super().__init__()
        if dim % config.prompt_heads:
            raise ConfigError(
                f"prompt_heads={config.prompt_heads} do not divide the model's dim={dim}"
            )
        self.heads = config.prompt_heads
        self.queries = nn.Parameter(torch.randn(1, config.prompt_queries, dim))
        self.norm = nn.LayerNorm(dim)
        self.to_q, self.to_k = nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.to_v, self.out_proj = nn.Linear(dim, dim), nn.Linear(dim, dim)

    def attend(
        self, queries: Float[Tensor, "b q d"], prompt: Float[Tensor, "b t d"]
    ) -> Float[Tensor, "b q d"]:
        """The queries and what they found in the prompt."""
        asking, asked = self.norm(queries), self.norm(prompt)
        heads = [
            rearrange(projected, "b t (h w) -> b h t w", h=self.heads)
            for projected in (self.to_q(asking), self.to_k(asked), self.to_v(asked))
        ]
        found = F.scaled_dot_product_attention(*heads)
        return queries + self.out_proj(rearrange(found, "b h t w -> b t (h w)"))

    def forward(self, prompt: Float[Tensor, "b t d"]) -> Float[Tensor, "b q d"]:
        """A fixed number of vectors for a prompt of any length."""
        found = self.attend(self.queries.expand(len(prompt), -1, -1), prompt)
        return self.attend(found, found)


class Conditioning(nn.Module):
    """Voice and positions; belongs to a ``SpeechLM``, whose speech table reads the prompt."""

    def __init__(self, dim: int, config: ConditioningConfig) -> None:
        super().__init__()
        self.config = config
        self.text_positions = nn.Embedding(config.text_positions, dim)
        self.speech_positions = nn.Embedding(config.speech_positions, dim)
        self.speaker = nn.Linear(config.speaker_dim, dim)
        self.emotion = nn.Linear(1, dim, bias=False)
        self.resampler = Resampler(dim, config)

    def prefix(self, voice: SpeakerPrompt, table: nn.Embedding) -> Float[Tensor, "positions d"]:
        """The vectors of a voice.

        Args:
            voice: who speaks, and how.
            table: the model's speech embeddings.

        Raises:
            VoiceError: the voice does not fit the model.
        """
        weight = self.speaker.weight
        check_voice(voice, self.config, table.num_embeddings)
        ids = torch.tensor(voice.prompt, device=weight.device)
        prompt = table(ids).to(weight.dtype) + self.speech_positions.weight[: len(ids)]
        speaker = torch.tensor([voice.speaker], dtype=weight.dtype, device=weight.device)
        emotion = torch.tensor([[voice.emotion]], dtype=weight.dtype, device=weight.device)
        return torch.cat(
            [self.speaker(speaker), self.resampler(prompt[None])[0], self.emotion(emotion)]
        )

    def positions_of(
        self, batch: Batch, muted: Sequence[int] = ()
    ) -> tuple[Float[Tensor, "b t d"], Float[Tensor, "b t 1"]]:
        """What learned positions add to the ids of a batch, and by what its ids are multiplied.

        Args:
            batch: the ids; speech is counted from 1, since the start mark stands at 0.
            muted: rows whose text ids are not read; their positions are.

        Raises:
            GenerationError: text or speech is longer than the model has positions for.
        """
        text = (batch.order >= FIRST_TEXT_ROW) & (
            batch.order < FIRST_TEXT_ROW + len(batch.text_ids)
        )
        speech = batch.order >= FIRST_TEXT_ROW + len(batch.text_ids)
        counted = {"text": text.cumsum(1) - 1, "speech": speech.cumsum(1)}
        tables = {"text": self.text_positions, "speech": self.speech_positions}
        for name, table in tables.items():
            check_length(name, int(counted[name].max()) + 1, table.num_embeddings)
        added = tables["text"](counted["text"].clamp(min=0)) * text[..., None]
        added = added + tables["speech"](counted["speech"]) * speech[..., None]
        silent = torch.zeros(len(batch.order), 1, dtype=torch.bool, device=text.device)
        silent[list(muted)] = True
        return added, (~(text & silent)).unsqueeze(-1).to(added.dtype)

    def spoken_positions(self, spoken: Int[Tensor, " rows"]) -> Float[Tensor, "rows d"]:
        """The positions of speech ids, each the so-manyth of its row, from 1.

        Raises:
            GenerationError: speech is longer than the model has positions for.
        """
        if int(spoken.max()) >= self.speech_positions.num_embeddings:
            raise GenerationError(
                f"the model has positions for {self.speech_positions.num_embeddings - 1} speech "
                f"ids; speak a shorter text"
            )
        return self.speech_positions(spoken)

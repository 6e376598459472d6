"""Sizes of what a Chatterbox language model reads beside ids; the defaults are its English one's.

Values only, without torch.
"""

from dataclasses import dataclass

from mamtra.errors import ConfigError


@dataclass(frozen=True, slots=True, kw_only=True)
class ConditioningConfig:
    """Sizes of voice and positions, and the marks around a text.

    Attributes:
        text_positions, speech_positions: learned positions, so the longest text and speech.
        speaker_dim: numbers of a speaker vector.
        prompt_tokens: most speech tokens of a voice's recording that are read (six seconds).
        prompt_queries, prompt_heads: vectors that they become, and heads that look for them.
        text_start, text_end: text ids that stand before and after every text.
        guidance: how far the logits go beyond those of a model that does not know the text.
    """

    text_positions: int = 2_050
    speech_positions: int = 4_100
    speaker_dim: int = 256
    prompt_tokens: int = 150
    prompt_queries: int = 32
    prompt_heads: int = 4
    text_start: int = 255
    text_end: int = 0
    guidance: float = 0.5

    def __post_init__(self) -> None:
        for name in (
            "text_positions",
            "speech_positions",
            "speaker_dim",
            "prompt_tokens",
            "prompt_queries",
            "prompt_heads",
        ):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name}={getattr(self, name)} must be at least 1")
        if self.prompt_tokens > self.speech_positions:
            raise ConfigError(
                f"prompt_tokens={self.prompt_tokens} are more than "
                f"speech_positions={self.speech_positions}"
            )

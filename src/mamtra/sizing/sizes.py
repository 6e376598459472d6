"""Models by their sizes alone, and their backbone in the shapes that are compared.

A plan or a benchmark of speed and memory needs no trained weights, only sizes. They come from a
model's ``config.json``, or from the names here: ``cosyvoice2`` (the 0.5 B model of the paper),
``cosyvoice3``, ``chatterbox`` (its language model alone) and ``toy`` (tiny, to try a benchmark out
within seconds).

A shape says what the backbone is made of: a ratio of attention to Mamba (``1:5``), the same with
the decay shared by a key/value group (``1:5-grouped``, a state several times smaller), or attention
alone with that many layers left out (``removed-12``, as the paper's rival SPADE does), or a layout
with one letter a layer (``AMMM...``).
"""

import math
import re
from dataclasses import dataclass, replace

from mamtra.acoustic.decoder import DecoderConfig
from mamtra.acoustic.decoder_config import DiffusionTransformerConfig
from mamtra.acoustic.token_encoder import TokenEncoderConfig
from mamtra.acoustic.velocity import VelocityConfig
from mamtra.acoustic.vocoder import VocoderConfig
from mamtra.backbone import BackboneConfig, Layout
from mamtra.backbone.positions import RopeScaling
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import built_in, locate
from mamtra.errors import ConfigError, LayoutError
from mamtra.speech_lm import SpeechLMConfig
from mamtra.speech_lm.conditioning_config import ConditioningConfig

TOKENS_PER_SECOND = 25  # cosyvoice2.yaml: token_frame_rate; nano's mel has two frames a token too
WORDS_PER_SECOND = 2.5  # unhurried English, 150 words a minute
TEXT_IDS_PER_WORD = {"letters": 5.4, "bpe": 1.3}  # 65 letters in 12 words; Qwen's ids of English
SHAPES = ("1:0", "1:1", "1:3", "1:5", "1:11", "1:5-grouped", "removed-12")
SHAPE = re.compile(r"(?P<attention>\d+):(?P<mamba>\d+)(?P<grouped>-grouped)?|removed-(?P<gone>\d+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSizes:
    """What a model is made of; ``decoder`` and ``vocoder`` may be absent from a folder.

    Attributes:
        rows: of the language model for each stream; two where it is guided, one of which knows
            nothing of the text.
    """

    name: str
    speech_lm: SpeechLMConfig
    decoder: DecoderConfig | None = None
    vocoder: VocoderConfig | None = None
    tokenizer: str = "bpe"
    rows: int = 1

    @property
    def backbone(self) -> BackboneConfig:
        """Sizes of the backbone."""
        return self.speech_lm.backbone

    def text_ids(self, seconds: float) -> int:
        """Estimate of the text ids that so much speech is spoken from (``TEXT_IDS_PER_WORD``)."""
        per_word = TEXT_IDS_PER_WORD.get(self.tokenizer, TEXT_IDS_PER_WORD["bpe"])
        return math.ceil(seconds * WORDS_PER_SECOND * per_word)

    def tokens(self, seconds: float) -> int:
        """Ids that the language model holds at the end of one piece: its text, its speech."""
        return self.text_ids(seconds) + math.ceil(seconds * TOKENS_PER_SECOND)


COSYVOICE2 = ModelSizes(
    name="cosyvoice2",
    speech_lm=SpeechLMConfig(backbone=BackboneConfig()),
    decoder=DecoderConfig(),
    vocoder=VocoderConfig(),
)
COSYVOICE3 = ModelSizes(
    name="cosyvoice3",
    speech_lm=SpeechLMConfig(
        backbone=BackboneConfig(), marks=200, end_mark=1, fill_mark=3, any_mark_ends=True
    ),
    decoder=DecoderConfig(
        encoder=TokenEncoderConfig(dim=80, lower_layers=0, upper_layers=0, lookahead_channels=1024),
        velocity=DiffusionTransformerConfig(),
    ),
    vocoder=VocoderConfig(causal=True),
)
# resemble-ai/chatterbox, English: a Llama with as many key/value heads as query heads, guided
CHATTERBOX = ModelSizes(
    name="chatterbox",
    speech_lm=SpeechLMConfig(
        backbone=BackboneConfig(
            dim=1024,
            layout="A" * 30,
            query_heads=16,
            kv_heads=16,
            head_dim=64,
            mlp_dim=4096,
            rope_theta=500_000.0,
            rope_scaling=RopeScaling(factor=8.0),
            rms_eps=1e-5,
            attention_bias=False,
        ),
        text_vocabulary=704,
        speech_vocabulary=6561,
        marks=1633,
        end_mark=1,
        fill_mark=2,
        conditioning=ConditioningConfig(),
    ),
    tokenizer="letters",
    rows=2,
)
TOY = ModelSizes(
    name="toy",
    speech_lm=SpeechLMConfig(
        backbone=BackboneConfig(
            dim=32, layout="A" * 24, query_heads=4, kv_heads=2, head_dim=8, mlp_dim=64
        ),
        text_vocabulary=96,
        speech_vocabulary=81,
    ),
    decoder=DecoderConfig(
        encoder=TokenEncoderConfig(
            vocabulary=81, dim=16, heads=2, mlp_dim=24, lower_layers=1, upper_layers=1
        ),
        velocity=VelocityConfig(dim=16, heads=2, head_dim=8, blocks=1, middle=1),
        steps=2,
    ),
    vocoder=VocoderConfig(channels=32, pitch_channels=8, dilations=(1,), block_kernels=(3,)),
)
NAMED = {sizes.name: sizes for sizes in (COSYVOICE2, COSYVOICE3, CHATTERBOX, TOY)}


def model_sizes(name_or_path: str) -> ModelSizes:
    """The sizes of a model by name or folder; its weights are not read.

    Raises:
        ModelError: there is no such model.
        ConfigError: its config cannot be read.
    """
    if name_or_path in NAMED and name_or_path not in built_in():
        return NAMED[name_or_path]
    folder = ModelFolder(locate(name_or_path))
    text = folder.holder("text").config.text if folder.holds("text") else None
    speech_lm = folder.section("speech_lm", SpeechLMConfig)
    guided = speech_lm.conditioning is not None
    return ModelSizes(
        name=folder.config.name,
        speech_lm=speech_lm,
        decoder=folder.section("decoder", DecoderConfig) if folder.holds("decoder") else None,
        vocoder=folder.section("vocoder", VocoderConfig) if folder.holds("vocoder") else None,
        tokenizer=str((text or {}).get("tokenizer", "letters" if guided else "bpe")),
        rows=2 if guided else 1,
    )


def shaped_backbone(backbone: BackboneConfig, shape: str) -> BackboneConfig:
    """The same sizes with another layout.

    Raises:
        ConfigError: the shape is unknown, or leaves no layer.
        LayoutError: its ratio does not fit the layers.
    """
    if shape.isalpha() and shape.isupper():
        layout = str(Layout.parse(shape))
        if len(layout) != backbone.layers:
            raise LayoutError(
                f"the layout {shape} has {len(layout)} letters and the model {backbone.layers} "
                f"layers; write one letter a layer"
            )
        return replace(backbone, layout=layout)
    found = SHAPE.fullmatch(shape)
    if found is None:
        raise ConfigError(
            f"shape {shape!r} is unknown; possible are a ratio of attention to Mamba such as 1:5, "
            f"the same with a shared decay (1:5-grouped), layers left out (removed-12), or one "
            f"letter a layer (AMMM...)"
        )
    if found["gone"] is not None:
        left = backbone.layers - int(found["gone"])
        if left < 1:
            raise ConfigError(
                f"{found['gone']} layers cannot be removed from {backbone.layers}; remove fewer"
            )
        return replace(backbone, layout="A" * left)
    layout = Layout.repeat(int(found["attention"]), int(found["mamba"]), backbone.layers)
    decay = "group" if found["grouped"] else "head"
    mamba = replace(backbone.mamba, decay=decay)
    return replace(backbone, layout=str(layout), mamba=mamba)


def shaped(sizes: ModelSizes, shape: str | None) -> ModelSizes:
    """The same model with its backbone in another shape; None leaves it as it is.

    Raises:
        ConfigError: the shape is unknown, or does not fit the layers.
    """
    if shape is None:
        return sizes
    backbone = shaped_backbone(sizes.backbone, shape)
    return replace(sizes, speech_lm=replace(sizes.speech_lm, backbone=backbone))

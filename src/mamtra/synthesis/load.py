"""Opens a model for speaking: its folder, the engine that runs it, and what has to fit together."""

from pathlib import Path
from typing import Any, Unpack

from mamtra.acoustic.config import LEVELS, ProofreaderConfig
from mamtra.audio.log_mel import MelConfig
from mamtra.checkpoints.checksums import compared
from mamtra.checkpoints.format import ModelFolder
from mamtra.checkpoints.locate import DEFAULT, locate
from mamtra.errors import ModelError
from mamtra.runtime.choose import LISTENING, choose, open_model
from mamtra.runtime.protocols import LoadedModel
from mamtra.runtime.request import AUTO, EngineRequest, FlowOptions
from mamtra.synthesis.synthesizer import Synthesizer
from mamtra.synthesis.text_reader import Tokenizer, model_reader


def check_agreement(folder: ModelFolder, model: LoadedModel, tokenizer: Tokenizer) -> None:
    """Parts of one model must mean the same by a text id, a speech token and a frame.

    Raises:
        ModelError: they do not.
    """
    mel = folder.section("mel", MelConfig)
    decoder, vocoder = model.decoder.sizes, model.vocoder.sizes
    pairs = {
        "speech tokens of the speech_lm and the decoder": (
            model.speech_model.vocabulary.codes,
            decoder.codes,
        ),
        "mel bins of the decoder and the vocoder": (decoder.bins, vocoder.bins),
        "speech tokens of the proofreader and the decoder": (
            LEVELS ** folder.section("proofreader", ProofreaderConfig).digits
            if folder.holds("proofreader")
            else decoder.codes,
            decoder.codes,
        ),
        "hops of mel and vocoder": (mel.hop, vocoder.hop),
        "rates of mel and vocoder": (mel.rate_hz, vocoder.rate_hz),
    }
    wrong = [f"{what} are {a} and {b}" for what, (a, b) in pairs.items() if a != b]
    # tables of embeddings are padded to round sizes, so there may be more rows than ids
    if tokenizer.size > (rows := model.speech_model.text_vocabulary):
        wrong.append(f"text ids are {tokenizer.size} and rows of the speech_lm for them {rows}")
    if wrong:
        raise ModelError(f"the parts of {str(folder.folder)!r} do not fit: {'; '.join(wrong)}")


def is_read(name: str, bits: int) -> bool:
    """Whether speaking reads a file of a model's folder.

    Args:
        name: its path inside.
        bits: of the language model, which may lie there in several forms.
    """
    part, _, form = name.partition(".")
    if part == "speech_lm":
        few = f"{bits}bit."
        return form.startswith(few) if bits in (4, 8) else "bit." not in form
    return part not in LISTENING


def open_folder(
    folder: ModelFolder,
    device: str = "cpu",
    dtypes: Any = None,
    *,
    dtype: str = AUTO,
    engine: str = AUTO,
    threads: int = 0,
    streams: int = 1,
    **flow: Unpack[FlowOptions],
) -> Synthesizer:
    """Load a model from its opened folder; arguments and errors as for ``load``."""
    request = EngineRequest(
        device=str(device),
        engine=engine,
        dtype=dtype,
        threads=threads,
        streams=streams,
        **flow,
    )
    bits = choose(folder, request, dtypes).bits
    folders = [one.folder for one in (folder, folder.donor) if one is not None]
    with compared(folders, lambda name: is_read(name, bits)):
        model, reader = open_model(folder, request, dtypes), model_reader(folder)
    check_agreement(folder, model, reader.tokenizer)
    return Synthesizer(folder, model, reader)


def load(
    name_or_path: str | Path = DEFAULT,
    device: str = "cpu",
    dtypes: Any = None,
    *,
    dtype: str = AUTO,
    engine: str = AUTO,
    threads: int = 0,
    streams: int = 1,
    **flow: Unpack[FlowOptions],
) -> Synthesizer:
    """Load a model by its name (``nano``, ``nano-1-5``, ``nano-teacher``) or from its folder.

    Args:
        name_or_path: the model.
        device: ``cpu`` or ``cuda``.
        dtypes: types of the parts in memory: a torch dtype for all, or a dict with one for each
            named part (``speech_lm``, ``decoder``, ``vocoder``); float32 without it.
        dtype: of the language model's weights: ``float32``, ``bfloat16`` (torch only), ``int8``,
            ``int4`` (onnx only), or ``auto``, which is what speaks fastest.
        engine: ``onnx`` (CPU only), ``torch``, or ``auto``; ``eager`` and ``graph`` (CUDA only) are
            ways in which torch steps.
        threads: of a CPU; 0 decides by the size of the model.
        streams: texts that will be spoken at once, which may make another engine the fastest.
        flow: ``flow_steps``, ``flow_dtype`` and ``flow_context`` of a decoder with a flow, see
            ``FlowOptions``.

    Raises:
        ModelError: there is no such model, or its weights do not fit.
        ConfigError: what was asked for is not possible here.
        MissingExtraError: it needs torch, which is not installed.
    """
    folder = ModelFolder(locate(name_or_path))
    return open_folder(
        folder,
        device,
        dtypes,
        dtype=dtype,
        engine=engine,
        threads=threads,
        streams=streams,
        **flow,
    )

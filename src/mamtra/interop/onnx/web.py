"""A folder that any static server can host: a page, a small model's graphs, and onnxruntime-web.

    index.html, page.js, model.js, sampling.js, player.js, ...         the page (``mamtra/web``)
    rules.js                                                           Python's text rules
    ort.wasm.min.mjs, ort-wasm-simd-threaded.mjs, ....wasm             onnxruntime-web
    model/manifest.json                                                sizes, files, voices
    model/pronunciations.txt                                           words and their phones
    model/README.md                                                    its card
    model/*.onnx, model/*.safetensors, model/voices/*.safetensors      the model

The page fetches nothing from elsewhere and needs no server but for its files.
"""

import json
import shutil
import tarfile
from dataclasses import asdict
from importlib.resources import files
from pathlib import Path
from typing import Any

import onnx

from mamtra.atomic import write_json
from mamtra.checkpoints.derive import copy_cards
from mamtra.checkpoints.format import VOICES, ModelFolder
from mamtra.checkpoints.new_folder import new_folder
from mamtra.errors import ConfigError, ModelError
from mamtra.generation.guard import GuardConfig
from mamtra.generation.sampling import SamplingConfig
from mamtra.interop.onnx.export import FolderExport, OnnxExport, write_graph
from mamtra.interop.onnx.text_script import text_script
from mamtra.runtime.onnx.session import WEIGHTS
from mamtra.speech_lm import SpeechLMConfig
from mamtra.synthesis.text_reader import TextConfig
from mamtra.text.pronunciations import PACKED, read_pronunciations
from mamtra.voice.voice import Voice, voice_names

RUNTIME = ("ort.wasm.min.mjs", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
TESTED = "1.30.0"  # of onnxruntime-web
PARTS = ("speech_lm", "decoder", "vocoder")
BITS = 8
ABOUT_COPY = "Written by `mamtra export --to web`: what the page beside this folder speaks with."


def check_suits(model: ModelFolder) -> None:
    """Refuse a model that the page cannot speak with.

    Raises:
        ConfigError: it reads more than letters, or its decoder has a flow.
    """
    text = model.holder("text").config.text or {}
    decoder = model.holder("decoder").config.decoder or {}
    if text.get("tokenizer") != "letters" or decoder.get("steps"):
        raise ConfigError(
            "the page speaks with models that read letters and whose decoder has no flow, as nano; "
            f"{model.config.name!r} is another kind"
        )


def unpack_runtime(archive: Path, output: Path) -> None:
    """Take onnxruntime-web's files out of its npm package.

    Raises:
        ModelError: the archive is missing or another package.
    """
    try:
        with tarfile.open(archive) as package:
            for name in RUNTIME:
                member = package.extractfile(f"package/dist/{name}")
                assert member is not None, "a regular file of the package"
                (output / name).write_bytes(member.read())
    except (OSError, tarfile.TarError, KeyError) as problem:
        raise ModelError(
            f"{str(archive)!r} is not the npm package of onnxruntime-web ({problem}); "
            f"npm pack onnxruntime-web@{TESTED} fetches it"
        ) from problem


def weights_of(graph: onnx.ModelProto) -> list[str]:
    """The files that a graph points into."""
    return [
        note.key.removeprefix(WEIGHTS)
        for note in graph.metadata_props
        if note.key.startswith(WEIGHTS)
    ]


def states_of(graph: onnx.ModelProto) -> dict[str, list[int | str]]:
    """The states of a speech language model, with named axes where their size is open."""
    outputs = {entry.name for entry in graph.graph.output}
    return {
        entry.name: [axis.dim_param or axis.dim_value for axis in entry.type.tensor_type.shape.dim]
        for entry in graph.graph.input
        if f"next.{entry.name}" in outputs
    }


def sizes_in(graph: onnx.ModelProto) -> dict[str, Any]:
    """The sizes that a graph notes."""
    notes = {note.key: note.value for note in graph.metadata_props}
    return json.loads(notes["sizes"])


def export_web(model: ModelFolder, output: Path, runtime: Path) -> Path:
    """Write the folder of a page that speaks with a model.

    Args:
        model: a small model that reads letters, as nano.
        output: a new folder, which appears when it is complete.
        runtime: the npm package of onnxruntime-web, a .tgz file.

    Raises:
        ConfigError: the model is not one for the page.
        ModelError: a part is missing, the output is not empty, or the runtime is another file.
        VoiceError: a voice is damaged.
    """
    check_suits(model)
    with new_folder(output) as folder:
        write_site(model, folder, runtime)
    return output


def write_site(model: ModelFolder, site: Path, runtime: Path) -> None:
    """Fill an empty folder: the runtime, the page, and the model with its graphs."""
    inside = site / "model"
    (inside / VOICES).mkdir(parents=True)
    unpack_runtime(runtime, site)
    for file in files("mamtra").joinpath("web").iterdir():
        (site / file.name).write_bytes(file.read_bytes())
    (site / "rules.js").write_text(text_script(), encoding="utf-8")
    for part in PARTS:
        for file in model.part_files(part):
            shutil.copyfile(file, inside / file.name)
    if words := model.section("text", TextConfig).pronunciations:
        read = read_pronunciations(model.holder("text").folder / words)
        (inside / words.removesuffix(PACKED)).write_bytes(read.lines)
    for name, file in model.voice_files().items():  # the page reads float16, as voices are saved
        Voice.load(file).save(inside / VOICES / f"{name}.safetensors")
    copy_cards(model, inside, ABOUT_COPY)
    graphs = graphs_for_page(model, inside)
    write_json(inside / "manifest.json", manifest(model, graphs), indent=2, error=ModelError)


def graphs_for_page(model: ModelFolder, inside: Path) -> dict[str, tuple[str, onnx.ModelProto]]:
    """Write the graphs that the page runs: file and graph by part."""
    made = FolderExport(model, OnnxExport(bits=BITS), inside)
    found = {}
    for part in PARTS:
        name, graph = next(iter(getattr(made, part)().items()))
        write_graph(graph, inside / name)
        found[part] = name, graph
    return found


def manifest(model: ModelFolder, graphs: dict[str, tuple[str, onnx.ModelProto]]) -> dict[str, Any]:
    """What the page has to know."""
    lm = graphs["speech_lm"][1]
    config, text = model.section("speech_lm", SpeechLMConfig), model.section("text", TextConfig)
    backbone = config.backbone
    return {
        "graphs": {
            part: {"file": name, "weights": weights_of(graph)}
            for part, (name, graph) in graphs.items()
        },
        "codes": config.speech_vocabulary,
        "rotary": {"width": backbone.head_dim // 2, "theta": backbone.rope_theta},
        "states": states_of(lm),
        "decoder": sizes_in(graphs["decoder"][1]),
        "vocoder": sizes_in(graphs["vocoder"][1]),
        "sampling": asdict(model.optional("sampling", SamplingConfig)),
        "guard": asdict(model.optional("guard", GuardConfig)),
        "pronunciations": text.pronunciations.removesuffix(PACKED),
        "piece_characters": text.piece_characters,
        "voices": voice_names(model),
    }

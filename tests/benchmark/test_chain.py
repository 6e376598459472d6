"""The chain benchmark: its stages at toy size, and the row that they make."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import reference_chatterbox
import soundfile
from cosyvoice_folder import PROMPT_WORDS, write_prompt, write_toy_folder
from toy_flow import TOY_HEAD_DIM

from mamtra.backbone import Layout
from mamtra.benchmark.process import Finished
from mamtra.benchmark.speak.stage_worker import STAGES, main
from mamtra.benchmark.speak.stages import PARTS, Chain, measure, read_chain, results_of
from mamtra.checkpoints.format import ModelFolder
from mamtra.errors import ConfigError, ModelError
from mamtra.interop.import_chatterbox import import_chatterbox
from mamtra.transfer.convert import convert

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
pytest.importorskip("wetext")


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    published = write_toy_folder(tmp_path / "published")
    (tmp_path / "work").mkdir()
    return Chain(
        folder=str(tmp_path / "work"),
        published=str(published),
        prompt=str(write_prompt(tmp_path / "prompt.wav")),
        words=PROMPT_WORDS,
        ratio="1:1",
        text="We walked on. It was late, and we sang.",
        tokens=12,
    )


def test_every_stage_runs_and_leaves_what_the_next_one_needs(chain: Chain) -> None:
    STAGES["import"](chain)
    convert(ModelFolder(chain.imported), chain.speaking_model, Layout.parse("AMAM"))
    told = {stage: STAGES[stage](chain) for stage in chain.stages[2:]}
    assert told["speech_lm"]["layout"] == "AMAM"
    assert told["voice"]["prompt_tokens"] == 40
    assert told["speech_lm"]["mode"] == "zero-shot"
    assert told["speech_lm"]["tokens"] == told["whole"]["tokens"] == 12
    assert told["decoder"]["frames"] == 24
    assert told["vocoder"]["audio_seconds"] == pytest.approx(12 / 25)
    assert soundfile.info(Path(chain.folder) / "speech.wav").frames == 24 * 480
    results = results_of(
        {
            stage: Finished(seconds=1.0, cpu_seconds=1.0, peak_bytes=7, printed=printed)
            for stage, printed in told.items()
        }
    )
    assert results["decoder"]["peak_bytes"] == 7
    assert results["decoder"]["real_time_factor"]["cpu_seconds"] > 0
    assert chain.settings()["published"] == "published"
    assert str(Path(chain.folder).parent) not in json.dumps(chain.settings())


def test_stages_are_run_as_processes_in_order(chain: Chain) -> None:
    ran: list[list[str]] = []

    def run(arguments: list[str]) -> Finished:
        ran.append(arguments)
        return Finished(
            seconds=1.0, cpu_seconds=1.0, peak_bytes=1, printed={"layout": "AM", "layers": []}
        )

    measured = dict(measure(chain, run))
    assert list(measured) == ["import", "convert", *list(STAGES)[1:]]
    assert measured["convert"].printed == {"layout": "AM"}
    assert ran[1][:3] == ["-m", "mamtra", "convert"]
    assert all(read_chain(arguments[-1]) == chain for arguments in [ran[0], *ran[2:]])


def test_a_stage_that_fails_says_why(chain: Chain, tmp_path: Path) -> None:
    other = Chain(folder=chain.folder, model=str(tmp_path / "no"), voice="no", text="Hi.")
    assert other.stages == ("packages", "speech_lm", "decoder", "vocoder", "whole")
    with pytest.raises(ModelError, match=r"unknown model .*no'"):
        main("whole", json.dumps(asdict(other)))


def test_what_is_missing_is_asked_for() -> None:
    with pytest.raises(ConfigError, match="give --published and --prompt, or --model"):
        Chain(folder="f")
    with pytest.raises(ConfigError, match="with --prompt"):
        Chain(folder="f", published="p")
    with pytest.raises(ConfigError, match="tokens=0"):
        Chain(folder="f", model="m", voice="v", tokens=0)
    for name in ("ratio", "prompt", "words"):
        with pytest.raises(ConfigError, match=f"--{name} is for a published folder"):
            Chain(folder="f", model="m", voice="v", **{name: "1:1"})


def test_graphs_are_exported_where_bits_are_asked_for(chain: Chain) -> None:
    graphs = replace(chain, bits=8)
    assert set(graphs.stages) - set(chain.stages) == {"export"}
    wanted = ["export", str(chain.speaking_model), "--to", "onnx", "--bits", "8"]
    assert graphs.export_command[2:] == wanted


def test_graphs_of_a_model_that_was_given_are_written_into_a_copy() -> None:
    graphs = Chain(folder="f", model="nano", voice="v", bits=8)
    assert graphs.speaking_model == Path("f/graphs")
    wanted = ["export", "nano", "--to", "onnx", "--bits", "8", "-o", "f/graphs"]
    assert graphs.export_command[2:] == wanted


def test_chatterbox_brings_its_voice_and_goes_through_the_same_stages(tmp_path: Path) -> None:
    published = reference_chatterbox.write_folder(tmp_path / "published", "s3gen.safetensors")
    whole = Chain(folder=str(tmp_path), published=str(published), ratio="1:1")
    assert whole.stages == (
        "import",
        "convert",
        "packages",
        "speech_lm",
        "decoder",
        "vocoder",
        "whole",
    )
    assert whole.speaking_voice == tmp_path / "imported" / "voices" / "built-in.safetensors"
    sizes = reference_chatterbox.REFERENCE
    import_chatterbox(
        published, tmp_path / "imported", None, 10**9, sizes.codes, sizes.head_dim, TOY_HEAD_DIM
    )
    chain = replace(
        whole,
        published=None,
        ratio=None,
        model=str(tmp_path / "imported"),
        voice=str(whole.speaking_voice),
        text="We sang.",
        tokens=6,
    )
    told = {stage: STAGES[stage](chain) for stage in chain.stages}
    assert told["speech_lm"]["tokens"] == told["whole"]["tokens"] == 6
    assert {told[part]["engine"] for part in PARTS} == {"torch"}
    from mamtra.interop.onnx.export import OnnxExport, export_onnx  # needs onnx

    graphs = replace(chain, bits=8, flow_dtype="float32")
    export_onnx(ModelFolder(chain.speaking_model), OnnxExport(bits=8), graphs.speaking_model)
    told = {stage: STAGES[stage](graphs) for stage in graphs.stages if stage in STAGES}
    assert {told[part]["engine"] for part in PARTS} == {"onnx"}
    assert told["speech_lm"]["tokens"] == told["whole"]["tokens"] == 6
    assert told["decoder"]["frames"] == 12

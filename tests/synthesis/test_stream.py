"""Streams: equal to the offline chunked form, without clicks, stopped at once."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import mamtra
from mamtra.audio.joiner import faded, pause_after
from mamtra.audio.stream_joiner import StreamJoiner
from mamtra.checkpoints.locate import built_in
from mamtra.errors import GenerationError, TextError, VoiceError
from mamtra.generation.generate import RETRY_STRIDE, piece_seed
from mamtra.generation.guard import GuardConfig
from mamtra.generation.request import Stopped, Token
from mamtra.synthesis import stream as streaming
from mamtra.synthesis.acoustics import AcousticStream, chunked_sound
from mamtra.synthesis.speech import Spoken
from mamtra.synthesis.stream import AudioPiece
from mamtra.synthesis.synthesizer import Synthesizer

SENTENCE = "We walked along the river, and then we walked along the river again, until evening."
TEXT = f"{SENTENCE} {SENTENCE}\n\nThen we went home, and then we went home, to the old house."
PER_TEXT_TOKEN = GuardConfig(min_per_text_token=0.9, max_per_text_token=0.9, attempts=1)


@pytest.fixture(scope="module")
def synthesizer(tiny_model_folder: Path) -> Synthesizer:
    """A model whose sentences are long enough for several chunks."""
    loaded = mamtra.load(tiny_model_folder)
    loaded.guard = PER_TEXT_TOKEN
    return loaded


@pytest.fixture(scope="module")
def streamed(synthesizer: Synthesizer) -> list[AudioPiece]:
    """Three pieces of text in two paragraphs."""
    return list(synthesizer.stream(TEXT))


def joined(pieces: list[AudioPiece]) -> np.ndarray:
    return np.concatenate([piece.samples for piece in pieces])


def accounts(pieces: list[AudioPiece]) -> list[Spoken]:
    return [piece.spoken for piece in pieces if piece.spoken is not None]


def test_the_joined_stream_equals_the_offline_chunked_form(synthesizer: Synthesizer) -> None:
    pieces = list(synthesizer.stream(SENTENCE, seed=3))
    (spoken,) = accounts(pieces)
    assert len(spoken.speech_tokens) > 60
    assert sum(len(piece.samples) > 0 for piece in pieces) >= 3
    offline = chunked_sound(synthesizer.model, spoken.speech_tokens, synthesizer.voice().prompt, 3)
    np.testing.assert_allclose(joined(pieces), faded(offline, synthesizer.rate), atol=1e-5)


def test_it_draws_the_tokens_that_say_draws(
    synthesizer: Synthesizer, streamed: list[AudioPiece]
) -> None:
    told = [token for one in accounts(streamed) for token in one.speech_tokens]
    assert told == synthesizer.say(TEXT).speech_tokens


def test_pieces_equal_the_whole_wherever_tokens_are_cut(synthesizer: Synthesizer) -> None:
    tokens = np.random.default_rng(0).integers(0, 27, 61).tolist()
    voice = synthesizer.voice().prompt
    whole = chunked_sound(synthesizer.model, tokens, voice, 5)
    for step in (1, 7, 61):
        stream = AcousticStream(synthesizer.model, voice, 5)
        cuts = [tokens[start : start + step] for start in range(0, len(tokens), step)]
        pieces = [stream.push(part) for part in cuts]
        pieces.append(stream.push([], final=True))
        np.testing.assert_allclose(np.concatenate(pieces), whole, atol=1e-5)


def test_the_first_samples_come_with_the_first_chunk(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[object] = []

    def counted(*arguments: object) -> Iterator[object]:
        for record in real(*arguments):
            drawn.append(record)
            yield record

    real = streaming.stream
    monkeypatch.setattr(streaming, "stream", counted)
    flow = synthesizer.stream(TEXT)
    assert not drawn
    first = next(flow)
    sizes = synthesizer.model.decoder.sizes
    assert len(drawn) == sizes.chunk_tokens + sizes.lookahead_tokens
    assert 0 < first.seconds < 1
    flow.close()
    assert len(drawn) == sizes.chunk_tokens + sizes.lookahead_tokens


def test_closing_a_stream_closes_the_generation(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = []

    def watched(*arguments: object) -> Iterator[object]:
        try:
            yield from real(*arguments)
        finally:
            closed.append(True)

    real = streaming.stream
    monkeypatch.setattr(streaming, "stream", watched)
    flow = synthesizer.stream(TEXT)
    next(flow)
    assert not closed
    flow.close()
    assert closed == [True]


def test_no_click_at_any_join(streamed: list[AudioPiece]) -> None:
    pieces = [piece for piece in streamed if len(piece.samples)]
    assert pieces[-1].piece == 2
    steps = np.abs(np.diff(joined(pieces)))
    usual = np.quantile(steps, 0.999)
    seams = np.cumsum([len(piece.samples) for piece in pieces])[:-1]
    assert len(seams) > 6
    for seam in seams:
        assert steps[seam - 2 : seam + 2].max() <= usual


def test_pieces_are_separated_by_the_pauses_of_say(
    synthesizer: Synthesizer, streamed: list[AudioPiece]
) -> None:
    pieces = streamed
    ends = [one.text for one in accounts(pieces)]
    pauses = [pause_after(ends[0]), pause_after(ends[1], ends_paragraph=True)]
    firsts = [next(p for p in pieces if p.piece == number and p.spoken) for number in (0, 1)]
    after = [pieces[pieces.index(piece) + 1].samples for piece in firsts]
    for samples, pause in zip(after, pauses, strict=True):
        silent = round(pause * synthesizer.rate)
        assert not samples[-silent:].any()
        assert samples[: len(samples) - silent].any()


def test_each_piece_draws_from_its_own_seed(
    synthesizer: Synthesizer, streamed: list[AudioPiece]
) -> None:
    alone = accounts(list(synthesizer.stream(SENTENCE, seed=piece_seed(0, 1))))[0]
    assert accounts(streamed)[1].speech_tokens == alone.speech_tokens


def test_the_account_tells_stages_and_the_first_audio(streamed: list[AudioPiece]) -> None:
    firsts = {spoken.first_audio_seconds for spoken in accounts(streamed)}
    assert len(firsts) == 1
    assert min(firsts) > 0
    for spoken in accounts(streamed):
        spent = spoken.compute_seconds
        assert min(spent.speech_lm, spent.decoder, spent.vocoder) > 0
        assert spoken.stop_reason == "budget"
        assert spoken.state_bytes > 0


class Script:
    """Stands for the generation: says what is written down, an attempt after the other."""

    def __init__(self, *attempts: tuple[int, str]) -> None:
        self.attempts, self.seeds = list(attempts), []

    def __call__(self, model: object, requests: list, *rest: object) -> Iterator[object]:
        self.seeds.append(requests[0].seed)
        count, reason = self.attempts.pop(0)
        yield from (Token(0, number % 27) for number in range(count))
        yield Stopped(0, reason)


def test_a_failure_is_tried_again_only_before_anything_was_heard(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(synthesizer, "guard", GuardConfig(attempts=3))
    script = Script((9, "repetition"), (5, "end"), (40, "repetition"))
    monkeypatch.setattr(streaming, "stream", script)
    early, late = (accounts(list(synthesizer.stream("Hi.", seed=7)))[0] for _ in range(2))
    assert (len(early.speech_tokens), early.stop_reason) == (5, "end")
    assert (len(late.speech_tokens), late.stop_reason) == (40, "repetition")
    assert script.seeds == [7, 7 + RETRY_STRIDE, 7]


def test_a_model_that_says_nothing_is_an_error(
    synthesizer: Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streaming, "stream", Script((0, "end")))
    with pytest.raises(GenerationError, match=r"said nothing for 'Hello\.'"):
        list(synthesizer.stream("Hello."))


def test_a_loop_at_the_end_is_cut_as_far_as_nobody_has_heard_it(synthesizer: Synthesizer) -> None:
    stream = AcousticStream(synthesizer.model, synthesizer.voice().prompt, 0)
    stream.push(list(range(20)))
    stream.drop(5)
    assert stream.tokens == list(range(15))
    stream.push([1] * 20)
    assert stream.started
    stream.drop(30)
    assert len(stream.tokens) == 28


def test_text_may_arrive_in_parts_that_end_anywhere(
    synthesizer: Synthesizer, streamed: list[AudioPiece]
) -> None:
    parts = [TEXT[start : start + 7] for start in range(0, len(TEXT), 7)]
    flowing = list(synthesizer.stream(iter(parts)))
    assert [one.text for one in accounts(flowing)] == [one.text for one in accounts(streamed)]
    np.testing.assert_array_equal(joined(flowing), joined(streamed))


def test_a_sentence_is_spoken_before_the_next_has_been_written(synthesizer: Synthesizer) -> None:
    asked = []

    def dictated() -> Iterator[str]:
        for part in ("We went ", "home. ", "Nothing more."):
            asked.append(part)
            yield part

    flow = synthesizer.stream(dictated())
    first = next(piece for piece in flow if piece.spoken)
    assert first.spoken is not None
    assert first.spoken.text == "We went home."
    assert asked == ["We went ", "home. "]


def test_text_without_words_and_unknown_voices_are_refused(synthesizer: Synthesizer) -> None:
    with pytest.raises(TextError):
        list(synthesizer.stream(iter(["... ", " "])))
    with pytest.raises(TextError):
        list(synthesizer.stream("  "))
    with pytest.raises(VoiceError):
        synthesizer.stream("Hello.", voice="nobody")


def tone(seconds: float, rate: int = 16_000) -> np.ndarray:
    return np.sin(np.arange(round(seconds * rate)) * 0.2).astype(np.float32)


def silence(seconds: float, rate: int = 16_000) -> np.ndarray:
    return np.zeros(round(seconds * rate), np.float32)


@pytest.mark.parametrize("step", [50, 999, 100_000])
def test_joining_live_trims_silence_and_does_not_depend_on_the_cuts(step: int) -> None:
    piece = np.concatenate([silence(0.3), tone(0.2), silence(0.2), tone(0.2), silence(0.5)])
    joiner, out = StreamJoiner(16_000), []
    for number in range(2):
        if number:
            out.append(joiner.next_piece(0.25))
        out += [joiner.push(piece[at : at + step]) for at in range(0, len(piece), step)]
    out.append(joiner.finish())
    # 0.04 s of silence stay around the sound, and a pause of 0.25 s between the pieces
    first, second = 0.3 + 0.6 + 0.04, 0.04 + 0.6 + 0.5
    assert len(np.concatenate(out)) == round((first + 0.25 + second) * 16_000)
    sounds = np.flatnonzero(np.abs(np.concatenate(out)) > 0.5)
    assert sounds[0] < 0.31 * 16_000
    assert sounds[-1] < round((first + 0.25 + 0.04 + 0.6) * 16_000)


@pytest.mark.slow
@pytest.mark.skipif("nano" not in built_in(), reason="nano is not in this checkout")
def test_nano_streams_what_its_offline_form_says() -> None:
    nano = mamtra.load("nano")
    sentence = "The weather was fine, so we walked along the river until evening."
    pieces = list(nano.stream(sentence))
    (spoken,) = accounts(pieces)
    assert spoken.stop_reason == "end"
    offline = faded(
        chunked_sound(nano.model, spoken.speech_tokens, nano.voice().prompt, 0), nano.rate
    )
    error = joined(pieces) - offline
    assert np.sqrt(np.mean(error**2) / np.mean(offline**2)) < 1e-4

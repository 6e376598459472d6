"""The decoder run by onnxruntime: token encoder, and the flow's Euler steps where it has one."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np
from jaxtyping import Float

from mamtra.acoustic.chunk_borders import ChunkBorders
from mamtra.errors import ConfigError
from mamtra.runtime.onnx.flow import CHUNK_GRAPH, CHUNKS_GRAPH, UNBOUNDED, WINDOWS, Flow
from mamtra.runtime.onnx.flow_memory import FlowState
from mamtra.runtime.onnx.token_encoder import ENCODER_GRAPH, OnnxTokenEncoder
from mamtra.runtime.protocols import DecoderSizes, EncodedPrompt

LEAST_CHUNKS, MOST_CHUNKS = 2, 16  # that go through the flow together
TOKENS_PER_SECOND = 25  # cosyvoice2.yaml: token_frame_rate


class OnnxDecoder:
    """A decoder from its graphs.

    Args:
        path: of the decoder's graph; those of the flow lie beside it.
        threads: that compute.
        flow_steps: Euler steps of its flow, if it has one; 0 for the model's own.
        flow_dtype: what the flow's network computes in: ``float32`` or ``bfloat16``.
        flow_context: seconds of which a stream remembers keys and values, rounded up to chunks; 0
            decodes each group from the first token.

    Raises:
        ModelError: a graph is missing or damaged.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 1,
        flow_steps: int = 0,
        flow_dtype: str = "float32",
        flow_context: int = 0,
    ) -> None:
        first = path.with_name(ENCODER_GRAPH) if flow_context else path
        self._first = OnnxTokenEncoder(first, threads)
        noted = self._first.noted
        steps: int = noted["steps"] and (flow_steps or noted["steps"])
        self._path, self._how = path, (threads, flow_dtype, steps, noted["guidance"])
        self._stream: Flow | None = None
        self.context = 0
        if steps:
            self._chunk_frames: int = noted["chunk_frames"]
            if flow_context:
                frames = flow_context * TOKENS_PER_SECOND * noted["frames_per_token"]
                self.context = -(-frames // self._chunk_frames) * self._chunk_frames
                self._stream, self._several = self._open(CHUNK_GRAPH), self._open(CHUNKS_GRAPH)
            else:
                self._flow = self._open("velocity.onnx")
        self._offset: float = noted["mel_offset"]
        self._scale: float = noted["mel_scale"]
        names = DecoderSizes.__dataclass_fields__
        shared = {name: value for name, value in noted.items() if name in names}
        self.sizes = DecoderSizes(**shared, flow=steps > 0, goes_on=self.context > 0)
        self._read: FlowState | None = None  # the last voice's prompt
        self._reading = Lock()

    def _open(self, graph: str) -> Flow:
        """A flow from one of the graphs beside the decoder's."""
        return Flow(self._path.with_name(graph), *self._how)

    @cached_property
    def _encoder(self) -> OnnxTokenEncoder:
        """The token encoder over all tokens; a decoder that remembers is seldom asked for them."""
        return OnnxTokenEncoder(self._path, self._how[0]) if self.context else self._first

    @cached_property
    def _flow(self) -> Flow:
        """The flow over all frames; one that remembers is seldom asked for them."""
        return self._open("velocity.onnx")

    def _feed(
        self,
        mean: Float[np.ndarray, "bins frames"],
        voice: EncodedPrompt,
        noise: Float[np.ndarray, "bins noise_frames"],
        first: int = 0,
    ) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Where the flow starts, and what is known of the frames from ``first`` on."""
        end = first + mean.shape[1]
        if noise.shape[1] < end:
            raise ConfigError(
                f"{end} mel frames are more than the {noise.shape[1]} of the noise; "
                f"split the text into shorter pieces"
            )
        given, known = np.zeros_like(mean), voice.mel[:, first:end]
        given[:, : known.shape[1]] = (known - self._offset) / self._scale
        return np.ascontiguousarray(noise[:, first:end], np.float32), {
            "mean": np.ascontiguousarray(mean),
            "given": given,
            "speaker": voice.speaker,
        }

    def new_state(
        self, voice: EncodedPrompt, noise: Float[np.ndarray, "bins noise_frames"] | None
    ) -> FlowState | None:
        """The state before the first token; the prompt of the last voice is read once."""
        if self._stream is None or noise is None:
            return None
        with self._reading:
            read = self._read
            if read is None or read.voice is not voice or read.noise is not noise:
                self._read = None  # its memory first
                memories = self._stream.empty_memories(self.context)
                encoded = self._first.empty_memory()
                read = FlowState(voice=voice, noise=noise, encoded=encoded, memories=memories)
                self.decode_chunks([], read, final=False)
                self._read = read
            return read.copy()

    def _expect(
        self, ids: np.ndarray, state: FlowState, end: int
    ) -> Float[np.ndarray, "bins frames"]:
        """What the token encoder expects of the frames up to ``end``; moves its memory on."""
        sizes, times = self.sizes, self.sizes.frames_per_token
        first, last = state.frames // times, end // times
        mean, state.encoded = self._first.go_on(
            ids[first : last + sizes.lookahead_tokens],
            state.voice.speaker,
            last - first,
            state.encoded,
            context=self.context // times,
        )
        return mean

    def _chunks_together(self, state: FlowState, end: int, borders: ChunkBorders) -> int:
        """How many whole chunks one pass takes; 0 where it is better given what is there."""
        chunks = min((end - state.frames) // self._chunk_frames, MOST_CHUNKS)
        whole = borders.after(state.frames) - state.frames == self._chunk_frames
        return chunks if chunks >= LEAST_CHUNKS and whole and state.full else 0

    def decode_chunks(
        self, tokens: Sequence[int], state: FlowState, *, final: bool
    ) -> Float[np.ndarray, "bins frames"]:
        """The frames that the state has not given yet.

        Raises:
            ConfigError: there is less noise than frames.
        """
        if self._stream is None:
            raise ConfigError("this decoder remembers nothing; open it with flow_context")
        sizes, voice = self.sizes, state.voice
        ids = np.concatenate([voice.tokens.astype(np.int64), np.asarray(tokens, np.int64)])
        borders = ChunkBorders.of(sizes, len(voice.tokens))
        end, made = borders.readable(len(ids), final), [np.zeros((sizes.bins, 0), np.float32)]
        while (start := state.frames) < end:
            chunks = self._chunks_together(state, end, borders)
            stop = start + chunks * self._chunk_frames if chunks else min(borders.after(start), end)
            mean = self._expect(ids, state, stop)
            point, feed = self._feed(mean, voice, state.noise, start)
            feed["seen"] = np.array(start)
            if chunks:
                blocks = self.context // self._chunk_frames + 1
                feed[WINDOWS] = np.arange(chunks)[:, None] + np.arange(blocks)
            flow = self._several if chunks else self._stream
            mel = flow.follow(point, feed, state.memories)
            state.frames = stop
            made.append(mel[:, max(0, voice.mel.shape[1] - start) :])
        return np.concatenate(made, 1) * np.float32(self._scale) + np.float32(self._offset)

    def decode(
        self,
        tokens: Sequence[int],
        voice: EncodedPrompt,
        noise: Float[np.ndarray, "bins noise_frames"] | None,
        *,
        chunked: bool = False,
        final: bool = True,
    ) -> Float[np.ndarray, "bins frames"]:
        """Mel features of the tokens, without those of the voice's prompt.

        Raises:
            ConfigError: the flow needs noise, or more of it.
        """
        ids, before = np.asarray(tokens, np.int64), 0
        if self.sizes.flow:
            before = voice.mel.shape[1]
            ids = np.concatenate([voice.tokens.astype(np.int64), ids])
        kept = len(ids) if final else len(ids) - self.sizes.lookahead_tokens
        if kept <= 0:
            return np.zeros((self.sizes.bins, 0), np.float32)
        chunk = self.sizes.chunk_tokens if chunked else UNBOUNDED
        mel = self._encoder.encode(ids, voice.speaker, kept, chunk=chunk)
        if self.sizes.flow:
            if noise is None:
                raise ConfigError("this decoder starts in noise; give it some for every mel frame")
            point, feed = self._feed(mel, voice, noise)
            feed["chunk"] = np.array(self._chunk_frames if chunked else UNBOUNDED)
            mel = self._flow.follow(point, feed)
        return mel[:, before:] * np.float32(self._scale) + np.float32(self._offset)

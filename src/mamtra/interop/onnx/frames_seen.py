"""What the frames of a velocity network see of others, as nodes.

``AllFrames``: all of them in one pass; a mask hides what lies beyond a frame's own chunk.

``Memory``: one chunk in a pass; what lies before it comes in as arrays,

    held.N            (rows, channels, frames): the last inputs of a causal convolution
    known             (keys and values of all layers, heads, frames before, width), in any order
    seen              frames before this chunk, of which the memory may have lost the first

and ``next.held.N`` goes out with ``new.known`` of this chunk's frames.

``MemoryOfChunks``: several whole chunks in a pass, each of which sees what it would see in a pass
of its own; ``known`` is then in order, and

    windows           (chunks, blocks): which blocks of frames, a chunk long each, each chunk sees
                      of those that are known and the chunks' own
"""

from onnx import TensorProto

from mamtra.interop.onnx.earlier_steps import NEWEST, HeldInputs, Zeros
from mamtra.interop.onnx.graph import Graph
from mamtra.interop.onnx.modules import count, gives, length, number, takes
from mamtra.interop.onnx.relative_attention import hidden_beyond_chunks


def turned(graph: Graph, tensor: str, *perm: int) -> str:
    """Axes in another order."""
    return graph.add("Transpose", [tensor], perm=perm)


def joined_heads(graph: Graph, mixed: str, inner: int) -> str:
    """(rows, heads, frames, width) as (rows * frames, heads * width)."""
    return graph.add("Reshape", [turned(graph, mixed, 0, 2, 1, 3), graph.shape(-1, inner)])


class AllFrames(Zeros):
    """Every frame is there; ``frames`` and ``chunk`` are names of their numbers."""

    def __init__(self, graph: Graph, frames: str, chunk: str) -> None:
        super().__init__(graph)
        self.mask = hidden_beyond_chunks(graph, frames, chunk)

    def attend(self, query: str, key: str, value: str, heads: int, width: int) -> str:
        """Attention to everything that the mask shows.

        Of (rows, frames, heads, width) each, as (rows * frames, heads * width).
        """
        graph = self.graph
        scores = [turned(graph, query, 0, 2, 1, 3), turned(graph, key, 0, 2, 3, 1)]
        scores = graph.add("Mul", [graph.add("MatMul", scores), number(graph, width**-0.5)])
        weight = graph.add("Softmax", [graph.add("Add", [scores, self.mask])], axis=-1)
        mixed = graph.add("MatMul", [weight, turned(graph, value, 0, 2, 1, 3)])
        return joined_heads(graph, mixed, heads * width)

    def positions(self, frames: str) -> str:
        """The number of each frame, int64, from 0."""
        return count(self.graph, frames)


class Memory(HeldInputs):
    """One chunk and what is remembered."""

    def __init__(self, graph: Graph) -> None:
        super().__init__(graph)
        self.own = list[str]()
        takes(graph, "seen", TensorProto.INT64)

    def keep(self, new: str) -> tuple[str, str]:
        """Keys or values that are known, and the new ones: (rows, heads, frames, width) each."""
        self.own.append(turned(self.graph, new, 0, 2, 1, 3))
        return f"known.{len(self.own)}", self.own[-1]

    def attend(self, query: str, key: str, value: str, heads: int, width: int) -> str:
        """Scores of the frames before and of the chunk's own, one softmax over both."""
        graph = self.graph
        query, keys, values = turned(graph, query, 0, 2, 1, 3), self.keep(key), self.keep(value)
        scores = [graph.add("MatMul", [query, turned(graph, key, 0, 1, 3, 2)]) for key in keys]
        both = graph.add("Mul", [graph.add("Concat", scores, axis=3), number(graph, width**-0.5)])
        cut = [length(graph, scores[0], 3), length(graph, scores[1], 3)]
        sizes = graph.add("Concat", cut, axis=0)
        weights = graph.add("Split", [graph.add("Softmax", [both], axis=-1), sizes], 2, axis=3)
        mixed = [
            graph.add("MatMul", [weight, value])
            for weight, value in zip(weights, values, strict=True)
        ]
        return joined_heads(graph, graph.add("Add", mixed), heads * width)

    def positions(self, frames: str) -> str:
        """From those that were seen."""
        return self.graph.add("Add", [count(self.graph, frames), "seen"])

    def finish(self, heads: int, width: int) -> None:
        """Cut what is known into keys and values of each layer, and join the new ones.

        They come as one array, since a runtime takes longer to be handed a hundred.
        """
        graph, count_of = self.graph, len(self.own)
        takes(graph, "known", TensorProto.FLOAT, count_of, heads, "before", width)
        names = [f"known.{index + 1}" for index in range(count_of)]
        graph.add_to(names, "Split", ["known"], axis=0, num_outputs=count_of)
        graph.nodes.insert(0, graph.nodes.pop())  # before those that use it
        own = graph.add("Concat", self.own, axis=0)
        gives(graph, "new.known", own, count_of, heads, "new_frames", width)


class MemoryOfChunks(Memory):
    """Several chunks of so many frames, and what is remembered."""

    def __init__(self, graph: Graph, chunk_frames: int) -> None:
        super().__init__(graph)
        self.chunk_frames = chunk_frames
        takes(graph, "windows", TensorProto.INT64, "chunks", "blocks")

    def window(self, new: str, heads: int, width: int) -> str:
        """What each chunk sees of keys or values: (heads, chunks, frames, width)."""
        graph = self.graph
        known, own = self.keep(new)
        every = graph.add("Concat", [known, own], axis=2)
        first = graph.add("Neg", [length(graph, known, 2)])  # so many frames can be remembered
        self.own[-1] = graph.add("Slice", [own, first, graph.shape(NEWEST), graph.shape(2)])
        blocks = graph.shape(heads, -1, self.chunk_frames * width)
        every = graph.add("Gather", [graph.add("Reshape", [every, blocks]), "windows"], axis=1)
        sizes = [graph.shape(heads), length(graph, "windows", 0), graph.shape(-1, width)]
        return graph.add("Reshape", [every, graph.add("Concat", sizes, axis=0)])

    def attend(self, query: str, key: str, value: str, heads: int, width: int) -> str:
        """Each chunk's frames see its window."""
        graph, sizes = self.graph, self.graph.shape(heads, -1, self.chunk_frames, width)
        query = graph.add("Reshape", [turned(graph, query, 0, 2, 1, 3), sizes])
        keys, values = (self.window(new, heads, width) for new in (key, value))
        scores = graph.add("MatMul", [query, turned(graph, keys, 0, 1, 3, 2)])
        scores = graph.add("Mul", [scores, number(graph, width**-0.5)])
        mixed = graph.add("MatMul", [graph.add("Softmax", [scores], axis=-1), values])
        return graph.add(
            "Reshape", [turned(graph, mixed, 1, 2, 0, 3), graph.shape(-1, heads * width)]
        )


FramesSeen = AllFrames | Memory  # what a network asks of either

"""A ticket's text while it is spoken: which piece of it, and the speech ids that wait to be sound.

Three kinds of threads meet here. The event loop reads the ticket; the language thread adds speech
ids; one acoustic thread at a time turns them into sound. ``Utterance`` is what they share, guarded
by the service's lock; ``speak_on`` is the acoustic thread's work.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from mamtra.audio.joiner import Samples, pause_after
from mamtra.audio.stream_joiner import NOTHING, StreamJoiner
from mamtra.errors import GenerationError
from mamtra.generation.guard import FAILURES
from mamtra.generation.request import Stopped
from mamtra.server.ticket import Ticket
from mamtra.synthesis.acoustics import AcousticStream
from mamtra.synthesis.speaker import Speaker
from mamtra.synthesis.speech import Spoken
from mamtra.synthesis.stream import AudioPiece
from mamtra.synthesis.text_stream import Arrived

FIRST_SECONDS = 0.3  # after which a text that nothing was heard of goes before those that play


@dataclass(slots=True, eq=False)
class Utterance:
    """A ticket's text while it is spoken, piece by piece.

    Attributes:
        number: names it in the batch.
        pieces: of text that are not begun yet.
        arrived: the piece that the language model speaks.
        acoustics: what turns that piece's ids into sound.
        piece: its number.
        attempt: how often it was begun before.
        pending: its speech ids that the acoustic thread has not taken yet.
        stopped: how the language model ended it.
        taken: an acoustic thread is at work on it.
        memory: bytes of a state that has read so many ids.
        read: ids that the language model reads before it speaks the piece.
    """

    number: int
    ticket: Ticket
    speaker: Speaker
    pieces: Iterator[Arrived]
    joiner: StreamJoiner
    arrived: Arrived
    acoustics: AcousticStream
    memory: Callable[[int], int]
    piece: int = 0
    attempt: int = 0
    pending: list[int] = field(default_factory=list)
    stopped: Stopped | None = None
    taken: bool = False
    read: int = 0

    def take_pending(self) -> bool:
        """Take the ids that wait; whether an acoustic thread can go on, and the reader has room.

        Only called under the lock.
        """
        if self.taken or not self.ticket.has_room():
            return False
        ids, self.pending = self.pending, []
        return self.acoustics.take(ids) or self.stopped is not None

    @property
    def due(self) -> float:
        """When its reader, who plays what was made so far, will wait for more."""
        ticket = self.ticket
        if not ticket.first_audio:
            return ticket.arrived + FIRST_SECONDS
        return ticket.first_audio + ticket.audio_seconds

    def begin_piece(self, arrived: Arrived, piece: int, attempt: int) -> None:
        """Forget the piece before; only called under the lock.

        Raises:
            VoiceError: its mark names a voice that there is not.
        """
        if arrived.voice is not None:
            self.speaker = self.speaker.with_voice(arrived.voice)
        self.arrived, self.piece, self.attempt = arrived, piece, attempt
        self.acoustics = acoustics_of(self.speaker, piece)
        self.pending, self.stopped = [], None


def acoustics_of(speaker: Speaker, piece: int) -> AcousticStream:
    """What turns the ids of a piece into sound."""
    voice, seed = speaker.voice.prompt, speaker.seed(piece)
    return AcousticStream(speaker.model, voice, seed, speaker.guard)


@dataclass(slots=True)
class Outlet:
    """Where the sound of one piece goes.

    Attributes:
        read: ids that were read before the piece.
    """

    utterance: Utterance
    piece: int
    read: int
    acoustics: AcousticStream

    def give(self, samples: Samples, spoken: Spoken | None = None) -> None:
        """Give samples to the reader, if there are any, or a report."""
        if not len(samples) and spoken is None:
            return
        utterance, decoding = self.utterance, self.acoustics.decoding
        speaker = utterance.speaker
        heard = decoding.frames // speaker.model.decoder.sizes.frames_per_token
        made = AudioPiece(
            samples=samples,
            rate=speaker.rate,
            piece=self.piece,
            spoken=spoken,
            state_bytes=utterance.memory(self.read + heard),
        )
        utterance.ticket.put(made)


def speak_on(
    utterance: Utterance,
    stopped: Stopped | None,
    begin: Callable[[Arrived, int, int], None],
    ended: Callable[[Stopped], None],
) -> bool:
    """Turn the ids that were taken into sound; whether the utterance has ended.

    Args:
        utterance: one that this thread has taken.
        stopped: how its piece had ended when its ids were taken.
        begin: lets the language model begin a piece, or begin it again; it may work on it at once.
        ended: told how each piece has ended.

    Raises:
        GenerationError: the model said nothing.
    """
    acoustics, piece = utterance.acoustics, utterance.piece
    arrived, joiner = utterance.arrived, utterance.joiner
    outlet = Outlet(utterance, piece, utterance.read, acoustics)
    if stopped is None:
        for samples in acoustics.groups():
            outlet.give(joiner.push(samples))
        return False
    attempt, most = utterance.attempt + 1, utterance.speaker.guard.attempts
    again = stopped.reason in FAILURES and not stopped.settled
    if again and not acoustics.started and attempt < most:
        begin(arrived, piece, attempt)
        return False
    acoustics.drop(stopped.surplus)
    if not acoustics.tokens:
        attempts = max(attempt, stopped.attempts)
        raise GenerationError(
            f"the model said nothing for {arrived.text!r} in {attempts} attempts; try another seed"
        )
    ended(stopped)
    # the language model goes on while this piece becomes sound
    following = next(utterance.pieces, None)
    if following is not None:
        begin(following, piece + 1, 0)
    rest = NOTHING
    for samples in acoustics.groups():  # what waited for the whole piece leaves at once
        outlet.give(joiner.push(samples))
    for samples in acoustics.groups(final=True):
        outlet.give(rest)
        rest = joiner.push(samples)
    ticket = utterance.ticket
    spoken = Spoken(
        text=arrived.text,
        speech_tokens=list(acoustics.tokens),
        stop_reason=acoustics.ended(stopped.reason),
        compute_seconds=acoustics.compute_seconds,
        first_audio_seconds=max(0.0, ticket.first_audio - ticket.arrived),
        state_bytes=stopped.state_bytes,
        coverage=stopped.coverage,
        misread=stopped.misread,
    )
    outlet.give(rest, spoken)
    if following is None:
        outlet.give(joiner.finish())
        return True
    pause = following.pause_seconds
    if pause is None:
        pause = pause_after(arrived.text, following.starts_paragraph)
    outlet.give(joiner.next_piece(pause))
    return False

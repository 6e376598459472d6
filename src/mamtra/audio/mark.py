"""The mark that a file's speech is artificial, for its metadata.

It becomes WAV's LIST INFO, a comment of FLAC and Ogg, and ID3 of MP3.

It says so in words, and by IPTC's term for media that a trained model made, which programs look
for. Plain samples, and AAC in ADTS, have no place for it.
"""

SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
MARK = f"Artificial speech, made by mamtra. digitalSourceType: {SOURCE_TYPE}"


def mark_or_nothing(wanted: bool) -> str:
    """The comment of a file: the mark, unless a user must leave it out."""
    return MARK if wanted else ""

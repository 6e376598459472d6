"""Whether a text can be what is said in a recording of its length."""

FASTEST = 40.0  # letters a second; hurried English has 25, and numbers may be written as words
SLOWEST = 0.5  # letters a second; one Chinese character takes 0.2 to 0.4 s
SHORT_SECONDS = 4.0  # a single word may have so long a recording around it


def unlikely_text(text: str, seconds: float) -> str:
    """Why a text cannot be that of a recording; empty if it can."""
    letters = sum(character.isalnum() for character in text)
    if letters > FASTEST * max(seconds, 1.0):
        return f"{letters:,} letters in {seconds:.2f} s are more than anybody says"
    if seconds > SHORT_SECONDS and letters < SLOWEST * seconds:
        return f"{letters} letters in {seconds:.2f} s are fewer than anybody takes"
    return ""

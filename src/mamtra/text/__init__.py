"""From written text to the ids a speech language model reads."""

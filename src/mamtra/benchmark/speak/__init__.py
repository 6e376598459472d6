"""What it costs to speak: a sentence, a chapter, or each stage from a published model to sound."""

SENTENCE = "The weather was fine, so we walked along the river until evening."  # twelve words

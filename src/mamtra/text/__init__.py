"""From written text to the ids a speech language model reads.

``normalize`` writes English as it is spoken, ``split`` cuts long text into parts that fit a model,
``tokenizer`` and ``bpe`` give the ids: letters and phones for nano, byte pairs for CosyVoice 2.
"""

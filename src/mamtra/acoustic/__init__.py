"""From sound to speech tokens and back: mel features, tokenizer, decoder, vocoder."""

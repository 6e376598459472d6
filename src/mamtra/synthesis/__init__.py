"""From text to a waveform with a trained model."""

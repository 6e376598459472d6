"""Mixers over time: attention, Mamba, and what a new one must offer."""

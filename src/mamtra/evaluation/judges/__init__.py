"""Judges of speech: who hears words, rates naturalness, or compares voices."""

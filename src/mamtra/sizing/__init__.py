"""Bytes and operations of a model by arithmetic, before anything runs."""

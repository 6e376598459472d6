"""The sentences and the synthetic speech that nano learns from."""

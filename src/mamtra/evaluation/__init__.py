"""How well a model speaks: what a recogniser understands of it, and pictures of its sound."""

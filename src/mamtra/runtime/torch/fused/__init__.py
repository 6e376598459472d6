"""Kernels for one token per row on a GPU, a few for each layer, and the step that starts them."""

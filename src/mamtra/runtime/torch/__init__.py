"""The PyTorch engine: quick steps, CUDA graphs and 8-bit weights."""

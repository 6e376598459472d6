"""Models run by onnxruntime: numpy and onnxruntime only, never torch."""

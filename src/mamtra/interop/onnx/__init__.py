"""Models as ONNX graphs: what speaking without torch runs."""

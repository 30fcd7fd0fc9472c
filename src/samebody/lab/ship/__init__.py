"""Ship: from a trained run to a measured, quantised, signed bundle; works on ONNX files and needs no torch."""

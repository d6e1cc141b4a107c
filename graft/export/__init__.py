"""Exports: a trained model as ONNX, as a program of PyTorch, or as a bundle of MONAI."""

"""Benchmark of the service: speed and memory beside the bare model, and damaged uploads."""

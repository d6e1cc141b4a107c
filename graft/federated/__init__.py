"""Training of one network at several sites, whose data stays where it is."""

import os

# Before Flower is imported: nothing about a training leaves the machine unasked.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # graft's own lines say what failed

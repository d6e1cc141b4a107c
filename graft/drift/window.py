"""How many of the last scans are compared with the reference: docs/drift.md."""

WINDOW = 50  # scans
FEWEST = 10  # scans in the window: fewer say too little

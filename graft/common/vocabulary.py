"""Names that data, evaluation and reports share."""

PARTS = ("train", "validation", "test", "external")  # of a split
TESTS = ("test", "external")  # the parts that models are evaluated on
REFERENCE = "scratch"  # the model that the gain of transfer is measured against
RANDOM = "random"  # the untrained network in the ranking of sources

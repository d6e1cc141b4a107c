"""Names that data, evaluation and reports share."""

PARTS = ("train", "validation", "test", "external")  # of a split
TESTS = ("test", "external")  # the parts that models are evaluated on
REFERENCE = "scratch"  # the model that the gain of transfer is measured against
WITHOUT_LAMBDA = frozenset({"frozen", "source"})  # strategies that train no weights
SELF_SUPERVISION = "self-supervision"  # the check of the images that it learns from
RANDOM = "random"  # the untrained network in the ranking of sources

# Which key made the pseudonyms of a domain, if it is not a private one.
SYNTHETIC = "synthetic"  # the published one, for patients who do not exist
PUBLISHED = "published"
PUBLISHED_KEYS = {
    SYNTHETIC: "published key, synthetic patients",
    PUBLISHED: "published key: anyone with a list of names can find the patients",
}

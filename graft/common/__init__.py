"""Files, documents, parameters and seeds that every package needs."""

"""Complete runs to start from, each a params.yaml in a folder of its own."""

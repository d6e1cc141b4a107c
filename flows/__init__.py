"""Runs the pipeline under Prefect: decides when and where it runs and publishes its metrics."""

import os

# This must be set before Prefect is imported: nothing about a run leaves the user's own server.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

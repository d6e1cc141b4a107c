"""The pipeline under Prefect: when and where it runs, and where its metrics are published."""

import os

# Before Prefect is imported. Nothing about a run is sent to anyone but the server that the user chose.
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")

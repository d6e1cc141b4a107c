"""UIDs that are the same for the same content, so that a second report replaces the first."""

import hashlib
import json
import uuid


def make_uid(*content: object) -> str:
    """A UID from content as JSON values: 2.25 and a UUID as a number (PS3.5, section B.2)."""
    digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
    return f"2.25.{uuid.UUID(bytes=digest[:16], version=5).int}"

"""The parameters of the ranking of sources."""

from pydantic import model_validator

from graft.common.parameters import Section


class Sources(Section):
    """Domains to rank as sources, in addition to the source itself."""

    candidates: list[str]

    @model_validator(mode="after")
    def _check_candidates(self) -> "Sources":
        if len(set(self.candidates)) < len(self.candidates):
            raise ValueError(f"candidates: got {self.candidates}, expected each domain once")
        return self

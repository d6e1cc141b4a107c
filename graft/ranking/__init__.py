"""The ranking of sources for a target, by distance and by promise of transfer."""

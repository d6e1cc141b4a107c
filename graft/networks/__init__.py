"""The networks: how they are built, how they predict, and how they are saved."""

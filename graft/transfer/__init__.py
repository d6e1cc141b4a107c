"""How the weights of a source reach a network for the target."""

"""How a network with the weights of a source is trained for a target: one module per strategy."""

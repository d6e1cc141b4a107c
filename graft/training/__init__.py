"""How a network trains on one task: loss, penalties, augmentation, ensembles, checkpoints."""

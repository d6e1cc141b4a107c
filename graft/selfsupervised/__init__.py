"""How a network learns from images without their labels, before it is pretrained."""

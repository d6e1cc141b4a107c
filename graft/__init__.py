"""graft: transfers a diagnosis model from one organ to another, and reports whether that helped."""

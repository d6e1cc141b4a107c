"""graft: carry a diagnosis model from one organ to another, and say whether it helped."""

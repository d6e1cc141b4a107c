"""The service: a model behind HTTP, with a page to use it. It keeps nothing of what it is sent."""

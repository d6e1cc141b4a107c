"""Training of one network at several sites, whose data stays where it is."""

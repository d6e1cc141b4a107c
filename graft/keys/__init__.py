"""The secret key of this user, and what is derived from it: pseudonyms and random numbers."""

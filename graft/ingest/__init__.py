"""Turns the raw data of a domain, in any of its forms, into images of one size with pseudonyms."""

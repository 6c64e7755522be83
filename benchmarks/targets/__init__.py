"""Anything that can be compared: so far the two pipelines of this repo."""

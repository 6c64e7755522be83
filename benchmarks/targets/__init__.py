"""Anything that can be compared: the two pipelines of this repo, a running service, a function, a log."""

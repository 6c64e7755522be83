"""One call to a fast backend. Start with `pipeline.py`."""

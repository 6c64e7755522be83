"""Every fault against both pipelines, seeded and repeatable. Start with `catalogue.py`, then `play.py`."""

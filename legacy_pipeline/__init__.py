"""Cache, complexity classifier, small and large model: the optimised pipeline. Start with `pipeline.py`."""

"""What both pipelines stand on: the contract, the recorder, the ways to reach a model. Start with `contract.py`."""

"""Made-up files in the formats that `crossover import` and a scenario read. See `make.py`."""

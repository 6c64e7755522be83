"""`crossover published`: the hard-wired model itself against larger ones, on outcomes that others have published.

`counts.py` reads the outcomes, `model.py` holds the formulas, `assumptions.py` whatever is not measured, `measure.py`
puts them together and `text.py` prints them.
"""

"""The hardware that a model can run on: what is known of each, and how long an answer takes on it."""

"""What `crossover load` sends to whom, and what it makes of the answers."""

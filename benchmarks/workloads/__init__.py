"""What is asked: items with checkable answers, the instruction and examples of each task, splits by group."""

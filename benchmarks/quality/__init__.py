"""Quality: one scorer, test or metric a file. A scorer turns an answer and its reference into a score and a reason."""

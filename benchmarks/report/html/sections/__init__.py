"""The parts of the page, one a file: a run in, `<section>` out."""

"""`python -m benchmarks` is `crossover`."""

import sys

from benchmarks.cli import main

sys.exit(main())

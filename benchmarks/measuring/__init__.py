"""What `benchmarks/ratios.py` measures: goals in `goals.py`, one file for each kind of work."""

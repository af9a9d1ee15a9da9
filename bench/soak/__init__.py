"""The promise to lose nothing, put to the test: ``make soak``, or ``python -m bench.soak``."""

"""What proves a mechanism: so far the chain's own numbers, in `trilemma.testing.oracle`."""

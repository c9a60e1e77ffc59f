"""`python -m trilemma`."""

from trilemma.cli import main

main()

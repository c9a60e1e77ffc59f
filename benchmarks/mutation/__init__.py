"""How many small faults, put into the built-in mechanisms, the kit of laws and claims finds."""

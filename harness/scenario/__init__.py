"""A case as what a guest executes: steps, compiled."""

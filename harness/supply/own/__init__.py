"""Objects, programs and sources of the user's own, which no case.yaml describes."""

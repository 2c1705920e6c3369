"""Mutants: one change of one case at a time, each of which must turn its cell red. `invoke mutants` runs them."""

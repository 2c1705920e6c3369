"""A run: its plan, one kernel, the whole matrix, watch mode."""

"""The agent, which runs in guests: standard library only, and nothing of the rest of the harness."""

"""The guest image: a pruned Debian userland, and the archives that are appended to it per kernel and per run."""

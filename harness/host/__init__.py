"""What a run has of its host: cache, processes, signals, emulators."""

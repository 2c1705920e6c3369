"""YAML with line numbers, and errors that say where and what else might have been meant."""

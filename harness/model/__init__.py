"""The vocabulary as types and tables: results, verdicts, exit codes, architectures, refusals, versions."""

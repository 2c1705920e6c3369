"""The command line: commands, shell, doctor."""

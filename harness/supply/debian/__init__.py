"""Debian as a source of packages: mirrors, a private apt, exact package files."""

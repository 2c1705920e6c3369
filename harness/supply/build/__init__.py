"""Kernels that are built here: sources, configuration, compilers, and `make`."""

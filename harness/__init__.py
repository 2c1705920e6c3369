"""bpfmatrix: finds out by running them on which Linux kernels eBPF programs really work."""

__version__ = "0.1.0"

"""QEMU: its command line as a pure function, its process, its accelerator."""

"""Kernels in container images: names, manifests, layers, and what lies where in them."""

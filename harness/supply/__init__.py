"""What guests need, made once and cached: kernels, image, objects."""

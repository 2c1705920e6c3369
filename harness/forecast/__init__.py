"""What the types of a kernel (BTF) say of an object before anything runs: pure functions over bytes and values."""

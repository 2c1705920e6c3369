"""RPM repositories as a source of packages: their index, signatures, exact package files."""

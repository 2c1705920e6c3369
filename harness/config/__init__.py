"""matrix.yaml and case.yaml: read, validated, explained; and the expectations in them."""

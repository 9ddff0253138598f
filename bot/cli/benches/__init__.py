"""One file a benchmark: ours beside a peer or a floor, on the same input, with answers that are compared."""

"""Exact pool maths, one file a protocol. Values and functions only: no I/O."""

"""Liquidations, one file a protocol family."""

"""Tokens and pools as a graph: cycles, sizing, exact refine. No I/O."""

"""Proofs before money: revm in process, anvil, cassettes."""

"""Curve: StableSwap of all generations that are proven, and the crypto pools."""

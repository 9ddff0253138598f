"""Limits that stand between an opportunity and money."""

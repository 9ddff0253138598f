"""Balancer v2: weighted and stable pools, and what its Vault keeps of them."""

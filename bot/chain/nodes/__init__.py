"""Several nodes as one: connections, how each fares, and which is asked."""

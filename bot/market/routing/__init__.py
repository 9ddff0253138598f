"""The best set of trades over the whole market at once: the dual problem, and swaps in exact integers from it."""

"""What trades must cost at the least: a world of warm pools and lenders, and straight-line code for each trade."""

"""One file a protocol: how its pools are recognised on a chain, and read into exact values."""

"""The protocols that stand on the devnet, one file each."""

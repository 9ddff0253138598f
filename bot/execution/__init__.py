"""From opportunity to bundle: programs, bids, signing, relays."""

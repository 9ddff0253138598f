"""The seam: events, opportunities, intents, and the loop that moves them."""

"""What must never be lost: intents, submissions, outcomes."""

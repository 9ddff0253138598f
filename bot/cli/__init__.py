"""One file a command; the only place where parts are wired together."""

"""One file a strategy: pure functions of an event and the market. No I/O."""

"""Decoders of calldata, one file a family of routers; ``bot.chain.swap_calls`` has them all by selector."""

"""An embedded chain with the real protocols' bytecode, order flow, and a local builder's relay."""

"""The pact between nodes: pure rules, bytes in and values out, no I/O, no clock and no randomness."""

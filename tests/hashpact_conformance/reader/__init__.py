"""Cases for a reader: a hostile peer, and what must come of it."""

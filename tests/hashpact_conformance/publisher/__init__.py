"""Cases for a live publisher: what it serves, seen from outside."""

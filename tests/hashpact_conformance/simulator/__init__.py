"""A hostile peer in parts, each of which can be falsified: keys, trust repository, card, logs, HTTP."""

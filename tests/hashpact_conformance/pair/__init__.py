"""Cases for two nodes that follow each other: they must end alike."""

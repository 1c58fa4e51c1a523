"""The match index."""

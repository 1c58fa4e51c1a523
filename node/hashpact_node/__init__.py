"""The node: everything that touches the world."""

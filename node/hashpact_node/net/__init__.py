"""HTTP to peers."""

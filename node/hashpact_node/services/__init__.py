"""What a node does, independent of HTTP and of the clock."""

"""Tasks: what the service remembers of them, their way through the queue, and the bill."""

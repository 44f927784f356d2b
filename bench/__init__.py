"""Speed and memory of tigerbush against references in the same process."""

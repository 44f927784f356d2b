"""What is decided before any job runs: the standard library, utm and yaml alone."""

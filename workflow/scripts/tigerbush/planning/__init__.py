"""What the rules ask before any job runs: the standard library, utm and yaml alone."""

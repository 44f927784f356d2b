"""./tigerbush plan: jobs, time and price of a run."""

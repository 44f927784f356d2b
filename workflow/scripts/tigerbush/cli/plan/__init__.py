"""./tigerbush plan: jobs, time and cost of a run."""

"""./tigerbush status: the progress of a run."""

"""./tigerbush status: what a run does and has done."""

"""./tigerbush doctor: checks of everything a run depends on."""

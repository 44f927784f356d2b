"""./tigerbush doctor: what a run needs, each thing checked."""

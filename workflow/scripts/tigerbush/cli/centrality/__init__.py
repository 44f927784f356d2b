"""./tigerbush centrality: network centrality of one image."""

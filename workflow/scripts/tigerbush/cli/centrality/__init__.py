"""./tigerbush centrality: the network of one image."""

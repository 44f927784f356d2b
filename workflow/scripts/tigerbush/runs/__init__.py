"""One run at a time on some results, and what an earlier one has left."""

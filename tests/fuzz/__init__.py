"""Random damage to everything that comes from outside: nothing but sentences of our own may come out."""

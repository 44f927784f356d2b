"""`make mutants`: small faults put into the library, to see which of them no unit test notices."""

"""Proofs that take too long for `make test` (`make prove`), recorded in docs/evidence.md with date and commit."""

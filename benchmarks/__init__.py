"""Benchmarks of the engine against reference implementations: `make bench`. See docs/performance.md."""

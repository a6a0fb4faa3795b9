"""What the engine costs, beside references that run in turn with it: `make bench`. See docs/performance.md."""

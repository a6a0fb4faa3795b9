"""Cases: one module each, with a function `run(options, site)` that yields figures."""

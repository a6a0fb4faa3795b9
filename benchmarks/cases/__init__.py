"""One module for each case, with a function `run(asked, site)` that returns its figures."""

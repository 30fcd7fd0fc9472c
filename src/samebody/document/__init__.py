"""Documents: find the page, read its machine-readable zone and its printed data, and check them against each other."""

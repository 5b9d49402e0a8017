"""What came out of runs: their values as tables, orders and samples, and what can be claimed."""

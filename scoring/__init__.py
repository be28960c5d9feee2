"""How well it went, out of sums that storage hands over: pure functions."""

"""What the service remembers: tables, every query, the only commit."""

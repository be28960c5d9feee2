"""One file per channel; vendor types stop here."""

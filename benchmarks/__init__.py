"""Figures that the issues name, printed by one command: ``make bench``."""

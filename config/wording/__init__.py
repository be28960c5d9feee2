"""Every sentence a person can receive, per language; Simplified Chinese first."""

from config.wording.catalogue import LOCALES, Wording, closest_locale

__all__ = ["LOCALES", "Wording", "closest_locale"]

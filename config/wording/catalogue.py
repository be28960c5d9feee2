"""Reading the wording files and filling in their placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from string import Formatter

from config.yamlfile import ContentError, read_yaml

LOCALES = ("zh_CN", "zh_TW", "en")
HERE = Path(__file__).resolve().parent
HTML_LANG = {"zh_CN": "zh-Hans", "zh_TW": "zh-Hant", "en": "en"}


def closest_locale(wanted: str | None) -> str:
    """The supported locale nearest to a language tag or an Accept-Language header; Simplified Chinese when unsure."""
    for part in (wanted or "").split(","):
        tag = part.split(";")[0].strip().lower().replace("_", "-")
        if tag.startswith("zh"):
            traditional = any(mark in tag for mark in ("tw", "hk", "mo", "hant"))
            return "zh_TW" if traditional else "zh_CN"
        if tag.startswith("en"):
            return "en"
    return "zh_CN"


def _flatten(tree: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        if isinstance(value, Mapping):
            flat.update(_flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = str(value)
    return flat


class Wording:
    """The sentences of all languages. ``text(locale, "flow.key", name=value)`` gives one, filled in."""

    def __init__(self, sentences: Mapping[str, Mapping[str, str]]) -> None:
        self._sentences = sentences

    @classmethod
    def load(cls, folder: Path = HERE) -> Wording:
        """Read ``<locale>.yml`` of every locale. Raises ContentError when one is missing or has unknown keys."""
        sentences: dict[str, dict[str, str]] = {}
        for locale in LOCALES:
            document = read_yaml(folder / f"{locale}.yml")
            if not isinstance(document.data, Mapping):
                raise ContentError(document.path, "must be a mapping of sentences")
            sentences[locale] = _flatten(document.data)
        return cls(sentences)

    def keys(self, locale: str = "zh_CN") -> frozenset[str]:
        return frozenset(self._sentences[locale])

    def text(self, locale: str, key: str, **values: object) -> str:
        """One sentence. Raises KeyError for a key or placeholder nobody wrote."""
        sentence = self._sentences.get(locale, {}).get(key)
        if sentence is None:
            sentence = self._sentences["zh_CN"][key]
        return sentence.format_map({name: str(value) for name, value in values.items()}) if values else sentence

    def placeholders(self, locale: str, key: str) -> frozenset[str]:
        return frozenset(name for _, name, _, _ in Formatter().parse(self._sentences[locale][key]) if name)

    def section(self, locale: str, prefix: str) -> dict[str, str]:
        """All sentences whose key starts with ``prefix.``, without the prefix (for a page's script)."""
        start = f"{prefix}."
        return {key[len(start) :]: self.text(locale, key) for key in self.keys() if key.startswith(start)}

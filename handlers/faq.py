"""The knowledge entries: title, answer, validity, and what to do when the answer did not help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from config.yamlfile import Document

PREFIX = "faq/"


@dataclass(frozen=True, slots=True)
class FaqEntry:
    slug: str
    title: str
    text: str
    escalate_topic: str
    valid_from: date
    review_by: date
    certainty: str
    """high, medium or low: how sure the authors are of the facts."""
    related: tuple[str, ...]

    def is_valid(self, today: date) -> bool:
        return self.valid_from <= today

    def is_outdated(self, today: date) -> bool:
        return today > self.review_by


class FaqBook:
    """All entries by slug."""

    def __init__(self, entries: Mapping[str, FaqEntry]) -> None:
        self._entries = dict(entries)

    @classmethod
    def from_documents(cls, meta: Document, responses: Mapping[str, str]) -> FaqBook:
        """Join ``faq_meta.yml`` with the answers of ``responses.yml``.

        Raises ContentError for an entry without an answer, a bad date, or a related entry that does not exist.
        """
        entries: dict[str, FaqEntry] = {}
        table = meta.data.get("faq") if isinstance(meta.data, dict) else None
        if not isinstance(table, dict):
            raise meta.error("needs a mapping 'faq:'")
        for slug, fields in table.items():
            where = ("faq", slug)
            answer = responses.get(f"utter_{PREFIX}{slug}")
            if answer is None:
                raise meta.error(f"{slug} has no answer 'utter_{PREFIX}{slug}' in responses.yml", *where)
            try:
                entries[slug] = FaqEntry(
                    slug=slug,
                    title=str(fields["title"]),
                    text=answer.strip(),
                    escalate_topic=str(fields["escalate_topic"]),
                    valid_from=date.fromisoformat(str(fields["valid_from"])),
                    review_by=date.fromisoformat(str(fields["review_by"])),
                    certainty=str(fields["confidence"]),
                    related=tuple(fields.get("related") or ()),
                )
            except KeyError as error:
                raise meta.error(f"{slug} lacks {error.args[0]}", *where) from error
            except (TypeError, ValueError) as error:
                raise meta.error(f"{slug}: {error}", *where) from error
        for slug, entry in entries.items():
            for other in entry.related:
                if other not in entries:
                    raise meta.error(f"{slug} is related to {other}, which does not exist", "faq", slug, "related")
        return cls(entries)

    def get(self, slug: str) -> FaqEntry | None:
        return self._entries.get(slug)

    def of_intent(self, intent: str) -> FaqEntry | None:
        return self._entries.get(intent.removeprefix(PREFIX)) if intent.startswith(PREFIX) else None

    def __iter__(self) -> Iterator[FaqEntry]:
        return iter(self._entries.values())

    def __len__(self) -> int:
        return len(self._entries)

"""The wording files and the code agree: every sentence exists in every language, is asked for, and can be filled in."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from bot.channels.webchat import SAMPLES
from config.wording import LOCALES, Wording
from config.yamlfile import read_yaml
from console.desk import VIEWS
from console.problems import TITLED
from handlers import words
from handlers.answers import OFFERED_FUNCTIONS
from handlers.conversation import FUNCTIONS
from handlers.progress import STEP_COUNT, _public
from handlers.ratings import SOLVED
from routing.lifecycle import Outcome, TicketStatus
from storage.models import Role, TicketEvent, Visibility

ROOT = Path(__file__).resolve().parent.parent.parent
WORDING = Wording.load()
KEYS = WORDING.keys()
SECTIONS = frozenset(key.partition(".")[0] for key in KEYS)
KEY = re.compile(rf"(?:{'|'.join(sorted(SECTIONS))})\.[A-Za-z0-9_]*")
NOT_KEYS = {
    "error.html": "a template",
    "http.disconnect": "a message of ASGI",
    "http.request": "a message of ASGI",
}
SCORES = ("1", "2", "3", "4", "5")
NOT_YET = [name for name, act in FUNCTIONS.items() if act.__name__ == "say_not_yet"]


# ------------------------------------------------------------------ what the code asks for


@dataclass(frozen=True, slots=True)
class Call:
    """A call with a key written out, and the names it fills in."""

    place: str
    key: str
    values: frozenset[str]


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in ("bot", "console", "handlers"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text(encoding="utf-8"))


def templates() -> Iterator[tuple[str, nodes.Template]]:
    environment = Environment(autoescape=True)
    for path in sorted((ROOT / "console/templates").glob("*.html")):
        yield str(path.relative_to(ROOT)), environment.parse(path.read_text(encoding="utf-8"))


def strings_of(tree: ast.AST) -> Iterator[str]:
    return (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))


def looks_like_key(text: object) -> bool:
    return isinstance(text, str) and KEY.fullmatch(text) is not None and text not in NOT_KEYS


@cache
def written_out() -> dict[str, str]:
    """Every key, or beginning of a key (it ends in "." or "_"), and a file that has it."""
    found: dict[str, str] = {}
    for place, tree in sources():
        found |= {text: place for text in strings_of(tree) if looks_like_key(text)}
    for place, template in templates():
        found |= {const.value: place for const in template.find_all(nodes.Const) if looks_like_key(const.value)}
    return found


def is_beginning(text: str) -> bool:
    return text not in KEYS and text.endswith((".", "_"))


def _keys_in(node: ast.expr) -> list[str]:
    """The keys an argument may be: a string, or one of two."""
    if isinstance(node, ast.IfExp):
        return [*_keys_in(node.body), *_keys_in(node.orelse)]
    return [node.value] if isinstance(node, ast.Constant) and node.value in KEYS else []


@cache
def calls() -> tuple[Call, ...]:
    found: list[Call] = []
    for place, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or any(keyword.arg is None for keyword in node.keywords):
                continue
            values = {keyword.arg for keyword in node.keywords if keyword.arg}
            if ast.unparse(node.func).endswith("tell_requester"):
                values.add("ticket_no")  # it fills this one in itself
            for key in (key for argument in node.args for key in _keys_in(argument)):
                found.append(Call(f"{place}:{node.lineno}", key, frozenset(values)))
    for place, template in templates():
        for call in template.find_all(nodes.Call):
            values = {keyword.key for keyword in call.kwargs}
            for argument in call.args:
                if isinstance(argument, nodes.Const) and argument.value in KEYS:
                    found.append(Call(f"{place}:{call.lineno}", argument.value, frozenset(values)))
    return tuple(found)


@cache
def event_kinds() -> dict[str, Visibility]:
    """What is written into a ticket's record, and who may see it at most."""
    found: dict[str, Visibility] = {}
    for _, tree in sources():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call) or ast.unparse(node.func).split(".")[-1] not in ("write", "add_event"):
                continue
            seen = [
                Visibility[part.attr]
                for keyword in node.keywords
                if keyword.arg == "visibility"
                for part in ast.walk(keyword.value)
                if isinstance(part, ast.Attribute)
            ]
            for kind in (text for argument in node.args for text in strings_of(argument) if seen):
                found[kind] = Visibility.PUBLIC if Visibility.PUBLIC in (*seen, found.get(kind)) else seen[0]
    return found


def public_kinds() -> list[str]:
    return [kind for kind, seen in event_kinds().items() if _public([TicketEvent(kind=kind, visibility=seen)])]


# What a beginning of a key is completed with. The reader's sentence must exist for each.
COMPLETED_WITH: dict[str, Iterable[str]] = {
    "case_event.": public_kinds(),
    "case_step.": [str(number) for number in range(1, STEP_COUNT + 1)],
    "error.problem_": ("missing", "type", "value"),
    "event.": (*event_kinds(), "other"),
    "function.": {*OFFERED_FUNCTIONS, *NOT_YET},
    "http.title_": [str(status) for status in TITLED],
    "outcome.": list(Outcome),
    "rate.score_": SCORES,
    "sample.": [str(number) for number in range(1, SAMPLES + 1)],
    "status.": list(TicketStatus),
    "ui_case.step_": ("done", "current", "todo"),
    "ui_chat.emergency_": ("110", "120", "12355", "12356"),
    "ui_desk.": ("span_days", "span_hours", "span_minutes", "clock_left", "clock_overdue"),
    "ui_desk.clock_": ("left", "overdue", "on_time", "late", "off"),
    "ui_desk.empty_": VIEWS,
    "ui_desk.field_": ("answer", "question", "note", "reason"),
    "ui_desk.role_": list(Role),
    "ui_desk.satisfaction_": SCORES,
    "ui_desk.solved_": SOLVED,
    "ui_desk.status_": list(TicketStatus),
    "ui_desk.view_": VIEWS,
}
# Completed with what one template or module lists itself; the tests that open those pages meet every one.
LISTED_THERE = {
    "ui_desk.cause_": "why a ticket was routed; anything else is “other”",
    "ui_desk.channel_": "the channels",
    "ui_desk.figures_": "the columns of the table",
    "ui_desk.flash_": "named by go_to(flash=…); an unknown one shows nothing",
    "ui_desk.kind_": "why a text was not understood; anything else is “other”",
    "ui_desk.nav_": "the pages of the desk",
    "ui_desk.sensitivity_": "the topics' four grades",
    "ui_desk.urgency_": "the topics' four grades",
}
WRITTEN_AHEAD = {
    "event.": "the desk names an event without a sentence by its kind, so a sentence may be there before the event is",
}


# ------------------------------------------------------------------ the three languages


@pytest.mark.parametrize("locale", LOCALES[1:])
def test_every_language_has_exactly_the_sentences_of_simplified_chinese(locale: str) -> None:
    assert sorted(KEYS - WORDING.keys(locale)) == []
    assert sorted(WORDING.keys(locale) - KEYS) == []


@pytest.mark.parametrize("locale", LOCALES[1:])
def test_every_sentence_has_the_same_placeholders_in_every_language(locale: str) -> None:
    shared = KEYS & WORDING.keys(locale)
    assert [
        key for key in sorted(shared) if WORDING.placeholders(locale, key) != WORDING.placeholders("zh_CN", key)
    ] == []


@pytest.mark.parametrize("locale", LOCALES)
def test_every_sentence_says_something(locale: str) -> None:
    assert [key for key, text in texts(locale).items() if not text.strip() or text in ("None", "True", "False")] == []


@pytest.mark.parametrize("locale", LOCALES)
def test_every_sentence_can_be_filled_in(locale: str) -> None:
    for key in sorted(WORDING.keys(locale) & KEYS):
        values = {name: f"<{name}>" for name in WORDING.placeholders(locale, key)}
        text = WORDING.text(locale, key, **values)
        assert all(value in text for value in values.values()), key


@pytest.mark.parametrize("locale", LOCALES)
def test_sections_are_in_the_order_of_simplified_chinese(locale: str) -> None:
    reference = list(read_yaml(ROOT / "config/wording/zh_CN.yml").data)
    present = list(read_yaml(ROOT / f"config/wording/{locale}.yml").data)
    assert present == [section for section in reference if section in present]


# ------------------------------------------------------------------ words a person is told to type or press

CHAT_SECTIONS = tuple(f"{section}." for section in sorted(SECTIONS) if not section.startswith("ui_"))
QUOTED = re.compile(r"“([^”]*)”|「([^」]*)」")
EXAMPLES = {"老板欠我工资", "团关系怎么转", "老闆欠我工資", "團關係怎麼轉", "中山小榄", "中山小欖"}


def texts(locale: str) -> dict[str, str]:
    return {key: WORDING.text(locale, key) for key in sorted(KEYS & WORDING.keys(locale))}


def titles(locale: str) -> set[str]:
    return {text for key, text in texts(locale).items() if key.startswith(("button.", "function.", "rate."))}


def is_typed(word: str) -> bool:
    """The bot obeys it without a button: a command, perhaps with more behind it, or an answer to a form."""
    is_answer = words.is_yes(word) or words.is_back(word) or words.is_skip(word)
    return is_answer or words.command_of(word) is not None or words.command_of(word.split(maxsplit=1)[0]) is not None


@pytest.mark.parametrize("locale", LOCALES)
def test_every_quoted_word_is_one_that_the_bot_obeys_or_the_title_of_a_button(locale: str) -> None:
    wrong = []
    for key, text in texts(locale).items():
        for match in QUOTED.finditer(text) if key.startswith(CHAT_SECTIONS) else ():
            word = match[1] or match[2]
            if "{" not in word and word not in EXAMPLES | titles(locale) and not is_typed(word):
                wrong.append(f"{key}: {word}")
    assert wrong == []


def test_english_says_reply_before_words_that_can_be_typed_and_press_before_titles() -> None:
    for key, text in texts("en").items():
        assert all(is_typed(word) for word in re.findall(r"[Rr]eply “([^”]+)”", text)), key
        assert set(re.findall(r"[Pp]ress “([^”]+)”", text)) <= titles("en"), key


@pytest.mark.parametrize("number", ["110", "120", "12345", "12355", "12356"])
def test_a_sentence_gives_the_same_telephone_numbers_in_every_language(number: str) -> None:
    for key in sorted(KEYS):
        given = {locale: number in WORDING.text(locale, key) for locale in LOCALES}
        assert len(set(given.values())) == 1, (key, given)


# ------------------------------------------------------------------ code and files


def test_every_key_in_the_code_exists() -> None:
    missing = {text: place for text, place in written_out().items() if text not in KEYS and not is_beginning(text)}
    assert missing == {}


def test_every_composed_key_is_accounted_for() -> None:
    beginnings = {text for text in written_out() if is_beginning(text)}
    assert beginnings - COMPLETED_WITH.keys() - LISTED_THERE.keys() == set()
    assert (COMPLETED_WITH.keys() | LISTED_THERE.keys()) - beginnings == set()


def test_the_record_of_a_ticket_was_found_in_the_code() -> None:
    assert {"opened", "routed", "answered", "supplied", "added", "closed", "viewed"} <= event_kinds().keys()
    assert "answered" in public_kinds()
    assert "noted" not in public_kinds()


@pytest.mark.parametrize("beginning", sorted(COMPLETED_WITH))
def test_every_completion_of_a_composed_key_exists(beginning: str) -> None:
    assert sorted(name for name in COMPLETED_WITH[beginning] if f"{beginning}{name}" not in KEYS) == []


def test_every_call_fills_in_what_its_sentence_needs() -> None:
    assert len(calls()) > 200
    lacking = {
        call.place: (call.key, sorted(missing))
        for call in calls()
        if (missing := WORDING.placeholders("zh_CN", call.key) - call.values)
    }
    assert lacking == {}


def test_every_key_is_used() -> None:
    completed = {f"{beginning}{name}" for beginning, names in COMPLETED_WITH.items() for name in names}
    unused = KEYS - written_out().keys() - completed
    assert sorted(key for key in unused if not key.startswith(tuple(WRITTEN_AHEAD)) and not _is_named_alone(key)) == []


def _is_named_alone(key: str) -> bool:
    """Completed with a word that a page, its module or its script has in quotes; js_… go to the script by section."""
    name = key.partition(".")[2]
    if name.startswith("js_"):
        return name.removeprefix("js_") in _names_on_pages()
    longest = max((start for start in LISTED_THERE if key.startswith(start)), key=len, default=None)
    return longest is not None and key[len(longest) :] in _names_on_pages()


@cache
def _names_on_pages() -> frozenset[str]:
    """Every quoted word of the console, the channels and the seed's topics."""
    paths = [
        *(ROOT / "console").rglob("*.*"),
        *(ROOT / "bot/channels").glob("*.py"),
        *(ROOT / "handlers").glob("*.py"),
    ]
    text = "\n".join(path.read_text(encoding="utf-8") for path in paths if path.suffix in (".py", ".html", ".js"))
    return frozenset(re.findall(r"[\"'`]([a-z_]+)[\"'`]", text)) | _grades_of_topics()


def _grades_of_topics() -> frozenset[str]:
    topics = (ROOT / "config/seed/topics.yml").read_text(encoding="utf-8")
    return frozenset(re.findall(r"^\s+(?:sensitivity|default_urgency|urgency):\s*(\w+)", topics, re.MULTILINE))

"""Reading YAML written by people: safe types, no aliases, no duplicate keys, a size cap, faults with file and line."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML built without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]

MAX_BYTES = 8 * 1024 * 1024


class ContentError(Exception):
    """A fault in a content file: one sentence, with file and, where known, line (counted from 1)."""

    def __init__(self, path: Path | str, message: str, line: int | None = None) -> None:
        self.path, self.line, self.message = Path(path), line, message
        place = f"{path}:{line}" if line else f"{path}"
        super().__init__(f"{place}: {message}")


_Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Document:
    """Parsed data with the line of every mapping key and list item, so that a fault can be pointed at."""

    path: Path
    data: Any
    lines: dict[_Path, int]

    def line(self, *where: str | int) -> int | None:
        """The line of the nearest known ancestor of ``where``."""
        while where and where not in self.lines:
            where = where[:-1]
        return self.lines.get(where)

    def error(self, message: str, *where: str | int) -> ContentError:
        return ContentError(self.path, message, self.line(*where))


def _check(node: yaml.Node, path: _Path, lines: dict[_Path, int], seen_nodes: set[int]) -> None:
    if id(node) in seen_nodes:
        # An alias bomb expands a few hundred bytes into gigabytes.
        raise yaml.constructor.ConstructorError(None, None, "aliases (*name) are not allowed", node.start_mark)
    seen_nodes.add(id(node))
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        seen: set[Hashable] = set()
        for key, value in node.value:
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {key.value!r}", key.start_mark)
            seen.add(key.value)
            lines[(*path, key.value)] = key.start_mark.line + 1
            _check(value, (*path, key.value), lines, seen_nodes)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _check(value, (*path, index), lines, seen_nodes)


def read_yaml(path: Path) -> Document:
    """Read one YAML file.

    Raises ContentError when the file cannot be read, is larger than 8 MiB, is not UTF-8, is not YAML, repeats a key,
    or uses an alias.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ContentError(path, f"cannot be read: {error.strerror}") from error
    return parse_yaml(raw, path)


def parse_yaml(raw: bytes, path: Path | str = "<upload>") -> Document:
    """The same for bytes that came from elsewhere; ``path`` is the name used in faults."""
    if len(raw) > MAX_BYTES:
        raise ContentError(path, f"is larger than {MAX_BYTES // 1024 // 1024} MiB")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ContentError(path, f"is not UTF-8 (byte {error.start})", raw[: error.start].count(b"\n") + 1) from error
    loader = _Loader(text)
    lines: dict[_Path, int] = {}
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(Path(path), None, lines)
        _check(node, (), lines, set())
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise ContentError(path, f"{error.problem}", mark.line + 1 if mark else None) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ContentError(path, f"is not valid YAML: {error}") from error
    finally:
        loader.dispose()
    return Document(Path(path), data, lines)

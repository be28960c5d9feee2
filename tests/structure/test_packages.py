"""Every package of ours is named wherever packages are named."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from tests.structure.repository import ROOT, files

NOT_INSTALLED = {"tests", "benchmarks"}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
INSTALLED = set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def packages() -> set[str]:
    """Folders of the root that hold Python."""
    relative = [path.relative_to(ROOT) for path in files() if path.suffix == ".py"]
    return {path.parts[0] for path in relative if len(path.parts) > 1 and not path.parts[0].startswith(".")}


def test_every_package_is_named_for_hatch() -> None:
    assert packages() - NOT_INSTALLED == INSTALLED


def test_every_package_is_named_for_the_source_distribution() -> None:
    included = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    assert {f"/{name}" for name in INSTALLED} <= set(included)


def test_every_package_is_type_checked() -> None:
    assert set(PROJECT["tool"]["mypy"]["packages"]) == INSTALLED


def test_every_package_but_migrations_obeys_the_import_contracts() -> None:
    contracts = PROJECT["tool"]["importlinter"]
    assert set(contracts["root_packages"]) == INSTALLED - {"migrations"}
    layers = contracts["contracts"][0]["layers"]
    assert {name for layer in layers for name in re.split(r"\s*\|\s*", layer)} == INSTALLED - {"migrations"}

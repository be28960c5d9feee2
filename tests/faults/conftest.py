"""The real service as a process of its own, to be killed. Long runs are marked ``faults``: ``make faults``."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.app import Content
from tests.faults.service import Service
from tests.house import Clock, settings_for, trained_services


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "faults: kills the service again and again; takes minutes (make faults)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the long ones out unless they are asked for."""
    if "faults" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("faults")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


@pytest.fixture
def data_dir(content: Content, models: Path, tmp_path: Path) -> Path:
    """A data directory with nothing in it but the trained models, so that a start takes a second."""
    folder = tmp_path / "var"
    trained_services(settings_for(folder, "", None), content, models, Clock())
    shutil.copytree(models / "models", folder / "models")
    return folder


@pytest.fixture
def service(data_dir: Path, tmp_path: Path) -> Iterator[Service]:
    """Not started yet; whatever of it still runs at the end is stopped."""
    made = Service(data_dir, tmp_path / "service.log")
    yield made
    made.stop()

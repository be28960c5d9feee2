"""The seed content, read once: the decisions under test are the ones people get."""

from __future__ import annotations

from pathlib import Path

import pytest

from config.yamlfile import Document, read_yaml
from routing.areas import PlaceFinder
from routing.org_units import OrgTree
from routing.rules import Router, RuleBook
from routing.topics import TopicTree

SEED = Path(__file__).parents[2] / "config" / "seed"


@pytest.fixture(scope="session")
def topics() -> TopicTree:
    return TopicTree.from_document(read_yaml(SEED / "topics.yml"))


@pytest.fixture(scope="session")
def tree(topics: TopicTree) -> OrgTree:
    return OrgTree.from_document(read_yaml(SEED / "org_units.yml"), topics=topics)


@pytest.fixture(scope="session")
def rules_document() -> Document:
    return read_yaml(SEED / "routing_rules.yml")


@pytest.fixture(scope="session")
def rulebook(rules_document: Document, tree: OrgTree, topics: TopicTree) -> RuleBook:
    return RuleBook.from_document(rules_document, tree=tree, topics=topics)


@pytest.fixture(scope="session")
def router(tree: OrgTree, topics: TopicTree, rulebook: RuleBook) -> Router:
    return Router(tree, topics, rulebook)


@pytest.fixture(scope="session")
def finder(tree: OrgTree) -> PlaceFinder:
    return PlaceFinder(tree)

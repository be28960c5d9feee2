"""Deciding who is responsible, what may happen next and by when: pure functions over frozen values, no I/O.

Sources of the rules: ``config/seed/routing_rules.yml`` (who), the domain model in ``docs/`` (what next, by when).
"""

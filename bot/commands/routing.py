"""``routing explain``, ``routing lint``."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from typing import Annotated

import typer

from bot.app import Content, build_services, utc_now
from bot.commands.serve import Failed, read_settings
from nlu.engine import Utterance
from routing.areas import Place
from routing.lint import lint as find_faults
from routing.requests import build_request
from routing.rules import Assignment

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)


@app.command()
def explain(
    text: Annotated[str, typer.Option("--text", help="What the person wrote.")],
    topic: Annotated[
        str | None, typer.Option("--topic", help="Topic code; recognised from the text when left out.")
    ] = None,
    area: Annotated[str | None, typer.Option("--area", help="Six-digit area code; looked for in the text.")] = None,
    unit: Annotated[str | None, typer.Option("--unit", help="Unit the person asks for.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole decision as JSON.")] = False,
) -> int:
    """Show which unit would get a request, by which rule, and why not the others."""
    content = Content.read()
    services = build_services(read_settings(), content)
    margin = 1.0
    if topic is None:
        ranking = asyncio.run(services.topic_engine.parse(Utterance(text))).ranking
        topic = ranking[0].name if ranking[0].name in services.topics else "other.unclear"
        margin = ranking[0].confidence - (ranking[1].confidence if len(ranking) > 1 else 0.0)
    elif services.topics.get(topic) is None:
        raise Failed(f"there is no topic {topic!r}")
    if unit is not None and services.tree.get(unit) is None:
        raise Failed(f"there is no unit {unit!r}")
    if area is not None and not (len(area) == 6 and area.isdigit()):
        raise Failed(f"an area code has six digits, not {area!r}")
    place = services.places.find_place(text)
    if area is not None:
        kept = place.locality if place is not None and place.area_code == area else None
        place = Place(area, kept, services.places.area_names.name(area, kept))
    request = build_request(
        services.places, services.tree, topic=topic, text=text, place=place, margin=margin, user_choice=unit
    )
    found = services.topics.get(topic)
    if found is not None:
        request = replace(request, urgency=found.default_urgency, sensitivity=found.sensitivity)
    assignment = services.router.route(request, today=services.local(utc_now()).date())
    print(json.dumps(assignment.to_json(), ensure_ascii=False, indent=2) if as_json else _as_text(assignment, topic))
    return 0


def _as_text(assignment: Assignment, topic: str) -> str:
    asks = f"asks for {assignment.ask} first" if assignment.ask else ""
    lines = [
        f"topic       {topic}",
        f"unit        {assignment.unit or asks}",
        f"rule        {assignment.rule} version {assignment.rule_version}",
        f"confidence  {assignment.confidence:.2f}",
        f"sentence    {assignment.reason}",
        "candidates",
    ]
    for candidate in assignment.candidates:
        lines.append(f"  {'→' if candidate.chosen else ' '} {candidate.unit} {candidate.name}: {candidate.why}")
    return "\n".join(lines)


@app.command()
def lint() -> int:
    """Find rules that cannot fire, unknown references, and topics nobody handles somewhere."""
    content = Content.read()
    faults = find_faults(content.tree, content.topics, content.rulebook)
    for fault in faults:
        print(fault, file=sys.stderr)
    return 1 if faults else 0

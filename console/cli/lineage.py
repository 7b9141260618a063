"""Lineage of a thing: what it comes from, what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from console.cli.access import database
from console.cli.output import JSON_OPTION, plain, print_json
from metadata.database import Database
from metadata.rows.lineage import Direction, Node, Step, find_node, neighbours
from metadata.values import counted

ARROWS: dict[Direction, str] = {"up": "←", "down": "→"}


@click.command()
@click.argument("key")
@click.option("--kind", help="Its kind, where several have that key.")
@click.option("--depth", default=3, show_default=True, type=click.IntRange(1, 20))
@JSON_OPTION
def lineage(key: str, kind: str | None, depth: int, as_json: bool) -> None:
    """What KEY comes from (←) and what comes of it (→)."""
    store = database()
    node = find_node(store, key, kind)
    found = {direction: list(_walk(store, node, direction, depth)) for direction in ARROWS}
    if as_json:
        steps = {side: [{"depth": at, "step": step} for at, step in found[side]] for side in ARROWS}
        print_json({"node": node, "up": steps["up"], "down": steps["down"]})
        return
    click.echo(_line(node))
    for direction, arrow in ARROWS.items():
        for at, step in found[direction]:
            via = ", ".join(each.task for each in step.via)
            click.echo(f"{'  ' * at}{arrow} {_line(step.node)}{f'  ({plain(via)})' if via else ''}")


def _walk(store: Database, start: Node, direction: Direction, depth: int) -> Iterator[tuple[int, Step]]:
    seen = {start.uid}

    def further(uid: str, at: int) -> Iterator[tuple[int, Step]]:
        for step in neighbours(store, uid, direction):
            yield at, step
            if at < depth and step.more and step.node.uid not in seen:
                seen.add(step.node.uid)
                yield from further(step.node.uid, at + 1)

    return further(start.uid, 1)


def _line(node: Node) -> str:
    rows = counted(node.rows, "row") if node.rows is not None else ""
    words = " · ".join(word for word in (rows, plain(node.label)) if word)
    return f"{node.kind.replace('_', ' ')} {plain(node.key)}  {words}".rstrip()

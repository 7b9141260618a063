"""Lineage of a thing: what it comes from, what comes of it."""

from __future__ import annotations

from collections.abc import Iterator

import click

from console.cli.access import database
from console.cli.output import JSON_OPTION, plain, print_json
from console.column_lineage import ARROWS, branches
from metadata.column_uses import own_uses
from metadata.database import Database
from metadata.definitions import load_definition
from metadata.errors import UsageError
from metadata.findings import instead
from metadata.kinds import Dataset
from metadata.rows.columns import column_lineage, columns_known
from metadata.rows.lineage import Direction, Node, Step, find_node, neighbours
from metadata.states import OFF
from metadata.values import counted


@click.command()
@click.argument("key")
@click.option("--kind", help="Its kind, where several have that key.")
@click.option("--depth", default=3, show_default=True, type=click.IntRange(1, 20))
@click.option("--columns", is_flag=True, help="Of each column of a dataset: what it comes of, and what reads it.")
@click.option("--column", metavar="NAME", help="Of that column alone.")
@JSON_OPTION
def lineage(key: str, kind: str | None, depth: int, columns: bool, column: str | None, as_json: bool) -> None:
    """What KEY comes from (←) and what comes of it (→)."""
    store = database()
    if columns or column is not None:
        if kind not in (None, "dataset"):
            raise click.UsageError("only datasets have columns: leave --kind out, or --columns and --column")
        _print_columns(store, find_node(store, key, "dataset"), column, depth, as_json)
        return
    node = find_node(store, key, kind)
    found = {direction: list(_walk(store, node, direction, depth)) for direction in ARROWS}
    if as_json:
        steps = {side: [{"depth": at, "step": step} for at, step in found[side]] for side in ARROWS}
        print_json({"node": node, "up": steps["up"], "down": steps["down"]})
        return
    click.echo(_line(node))
    for direction, arrow in ARROWS.items():
        for at, step in found[direction]:
            via = ", ".join(f"{each.task} {OFF}" if each.off else each.task for each in step.via)
            click.echo(f"{'  ' * at}{arrow} {_line(step.node)}{f'  ({plain(via)})' if via else ''}")


def _print_columns(store: Database, node: Node, column: str | None, depth: int, as_json: bool) -> None:
    known = columns_known(store, node.uid)
    wanted = [name for name in known if column is None or name.lower() == column.lower()]
    if column is not None and not wanted:
        remedy = instead(column.lower(), known) if known else "run the pipeline that writes it, or declare its columns"
        raise UsageError("PH853", f"dataset {node.key}", f"no column {column} is known of it", remedy)
    dataset = load_definition(store, "dataset", node.key)
    uses = own_uses(dataset) if isinstance(dataset, Dataset) else {}
    found = {name: column_lineage(store, node.uid, name, depth) for name in wanted}
    if as_json:
        told = [
            {"column": name, "up": each.up, "down": each.down, "here": uses.get(name.lower(), ()), "cut": each.cut}
            for name, each in found.items()
        ]
        print_json({"key": node.key, "columns": told})
        return
    if not wanted:
        click.echo(f"No column of {plain(node.key)} is known before its first batch is written.")
    for name, each in found.items():
        click.echo(plain(name))
        for branch in branches(each, uses.get(name.lower(), ())):
            through = f"  ({plain(branch.through)})" if branch.through else ""
            arrow = f"{branch.arrow} " if branch.arrow else ""
            click.echo(f"{'  ' * branch.depth}{arrow}{plain(branch.what)}{through}")


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
    key = f"{plain(node.key)} {OFF}" if node.off else plain(node.key)
    return f"{node.kind.replace('_', ' ')} {key}  {words}".rstrip()

"""Rows from one database to another, whatever kind each is: backups of PostgreSQL, restoring into it, moving house.

Values pass through the tables' own types, so that a time, a JSON document or sealed bytes mean the same on both
sides; what is sealed stays sealed on the way.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Table, insert, inspect, literal, select, tuple_
from sqlalchemy.orm import Session

from samebody.store.schema import Base

BATCH = 500


def copy_rows(source: Session, target: Session) -> int:
    """Copy every row of every table that both have; returns how many. Both are of the same version, the target empty.

    Args:
        source: a reading transaction: one consistent state, however long it takes.
        target: a writing transaction: all rows are there once it is committed, or none.
    """
    count = 0
    theirs, ours = inspect(source.connection()), inspect(target.connection())
    there = set(theirs.get_table_names()) & set(ours.get_table_names())
    for table in Base.metadata.sorted_tables:  # what is referred to comes first
        if table.name not in there:
            continue
        known = {each["name"] for each in theirs.get_columns(table.name)}
        known &= {each["name"] for each in ours.get_columns(table.name)}
        for rows in _batches(source, table, known):
            target.execute(insert(table), rows)
            count += len(rows)
    return count


def is_empty(tx: Session) -> bool:
    """Whether no table of ours holds a row."""
    there = set(inspect(tx.connection()).get_table_names())
    tables = (table for table in Base.metadata.sorted_tables if table.name in there)
    return all(tx.execute(select(literal(1)).select_from(table).limit(1)).first() is None for table in tables)


def _batches(source: Session, table: Table, known: set[str]) -> Iterator[list[dict[str, Any]]]:
    columns = [column for column in table.columns if column.name in known]
    keys = list(table.primary_key.columns)
    query = select(*columns).order_by(*keys).limit(BATCH)
    page = query
    while rows := [dict(row) for row in source.execute(page).mappings()]:
        yield rows
        last = tuple_(*(literal(rows[-1][key.name], key.type) for key in keys))
        page = query.where(tuple_(*keys) > last)

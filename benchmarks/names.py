"""What it costs to resolve a name where the catalogs hold a million tables and locations: `make bench-names`."""

from __future__ import annotations

import argparse
import random
import resource
from collections.abc import Callable
from time import process_time

from datahub_aws_lineage.lineage.catalog import CatalogIndex
from datahub_aws_lineage.lineage.resolver import Naming, Resolver
from datahub_aws_lineage.model.catalog import Column, ExternalSchema, Table
from datahub_aws_lineage.model.names import DATA_CATALOG, S3Location, TableName

COLUMNS = (Column("id", "bigint"), Column("net", "double"))
MOST_CATALOGUED = 1000
"""Tables of one database."""


def catalogued(number: int) -> TableName:
    return TableName(DATA_CATALOG, f"db{number // MOST_CATALOGUED}", f"t{number}")


def location(number: int) -> str:
    return f"s3://lake-{number % 50}/domain{number % 997}/db{number // MOST_CATALOGUED}/t{number}"


def filled(tables: int) -> CatalogIndex:
    """Two thirds of the Data Catalog, with a location each, and a third of a warehouse that mounts it."""
    index = CatalogIndex()
    for number in range(tables):
        if number % 3:
            index.add_table(Table("glue", catalogued(number), COLUMNS, location=location(number), catalog_id="1"))
        else:
            index.add_table(Table("redshift", TableName("dev", "public", f"t{number}"), COLUMNS), "w")
    for number in range(0, tables, MOST_CATALOGUED):
        database = catalogued(number).database
        index.add_external_schema(ExternalSchema("dev", f"ext_{database}", "data_catalog", database), "w")
    return index


def microseconds(resolve: Callable[[int], object], numbers: list[int]) -> float:
    start = process_time()
    for number in numbers:
        resolve(number)
    return (process_time() - start) / len(numbers) * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tables", type=int, default=1_000_000)
    parser.add_argument("--names", type=int, default=200_000, help="names resolved of each kind, each another")
    options = parser.parse_args()
    start = process_time()
    index = filled(options.tables)
    print(f"{options.tables:,} tables taken in {process_time() - start:.1f} CPU s")
    resolver = Resolver(index, Naming(redshift_instances={"w": "w"}))
    chosen = random.Random(7).sample(range(options.tables), min(options.names, options.tables))  # noqa: S311
    of_glue = [number for number in chosen if number % 3]
    kinds: dict[str, tuple[Callable[[int], object], list[int]]] = {
        "Athena table": (lambda n: resolver.resolve(catalogued(n), "athena"), of_glue),
        "Redshift table": (
            lambda n: resolver.resolve(TableName("dev", "public", f"t{n - n % 3}"), "redshift", "w"),
            chosen,
        ),
        "external schema": (
            lambda n: resolver.resolve(TableName("dev", f"ext_{catalogued(n).database}", f"t{n}"), "redshift", "w"),
            of_glue,
        ),
        "file in S3": (
            lambda n: resolver.resolve(S3Location(f"{location(n)}/dt=2026-01-01/part-0.parquet"), "athena"),
            of_glue,
        ),
    }
    for kind, (resolve, numbers) in kinds.items():
        print(f"{kind:16} {microseconds(resolve, numbers):5.1f} µs a name, {len(numbers):,} names")
    print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()

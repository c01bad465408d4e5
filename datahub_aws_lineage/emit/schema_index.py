"""Where the columns of lineage land: in the schema that a catalog gives, or in one that lineage itself makes up.

DataHub's lineage graph draws a column edge only where both of its fields stand in the schema of their datasets. A
location on S3 has a schema in no catalog: it gets that of the tables that lie there, and a field for each further
column that lineage names. A resource link is listed without columns: it has those of its target.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from datahub.metadata.schema_classes import SchemaFieldClass

from datahub_aws_lineage.emit.schemas import (
    UNKNOWN_TYPE,
    field_of,
    field_paths,
    open_field,
    schema_fields,
    simple_path,
)
from datahub_aws_lineage.model.catalog import Table
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetLineage
from datahub_aws_lineage.model.names import Dataset
from datahub_aws_lineage.model.ports import Diagnostics


class SchemaIndex:
    """The schemas of all datasets: first `add` every table of the catalogs, then `learn` from all lineage, then ask.

    A dataset whose columns a catalog lists has those and no others. Every other dataset is open: it has any column that
    lineage names, spelled as in a table with the same data, else as where it was named first.

    Paths are worked out when a dataset is first asked for: most tables of a large catalog take part in no lineage.
    """

    def __init__(self, diagnostics: Diagnostics) -> None:
        self._diagnostics = diagnostics
        self._tables: dict[Dataset, Table] = {}
        self._paths: dict[Dataset, Mapping[str, str]] = {}
        self._same_data: dict[Dataset, list[Dataset]] = {}
        self._named: dict[Dataset, dict[str, SchemaFieldClass]] = {}
        self._missing: set[tuple[Dataset, str]] = set()

    def add(self, dataset: Dataset, table: Table, location: Dataset | None = None) -> None:
        """A table whose columns the catalog does not list leaves the dataset open. `location`: where its data lies."""
        if table.columns is None:
            return
        self._tables[dataset] = table
        if location is not None:
            self._same_data.setdefault(location, []).append(dataset)

    def learn(self, lineages: Iterable[DatasetLineage]) -> None:
        """Takes in what links show, then further columns of open datasets.

        A column that is passed on as it is has the type of the other end; of others the type is not known.
        """
        lineages = list(lineages)
        for lineage in lineages:
            for edge in lineage.edges:
                if edge.origin in {"link", "external_schema"}:
                    self._same_data.setdefault(lineage.downstream, []).append(edge.upstream)
        for lineage in lineages:
            for column in lineage.columns:
                upstream = column.upstream, column.upstream_column
                downstream = lineage.downstream, column.downstream_column
                self._learn(*upstream, column, downstream)
                self._learn(*downstream, column, upstream)

    def adopt(self, dataset: Dataset, fields: Iterable[SchemaFieldClass]) -> None:
        """Spells the columns of an open dataset as DataHub has them already."""
        paths = [simple_path(field) for field in fields]
        self._paths[dataset] = {**self._known_paths(dataset), **{path.lower(): path for path in paths}}

    def is_open(self, dataset: Dataset) -> bool:
        return dataset not in self._tables

    def field_path(self, dataset: Dataset, path: str) -> str | None:
        """The field of `path`, else of its nearest known ancestor (`user.address` for `user.address.zip4`).

        None where a catalog lists the columns and there is no such one; each such column is counted as unresolved once,
        however many edges and queries name it.
        """
        found = self._known_path(dataset, path)
        if found is not None:
            return found
        if dataset not in self._tables:
            named = self._named.get(dataset, {}).get(path.lower())
            return named.fieldPath if named is not None else path
        if (dataset, path) not in self._missing:
            self._missing.add((dataset, path))
            self._diagnostics.unresolved("column", f"{dataset} has no column {path}")
        return None

    def known_path(self, dataset: Dataset, path: str) -> str | None:
        """As `field_path`, of what a catalog knows; that something is missing is not reported."""
        return self._known_path(dataset, path)

    def fields_of_same_data(self, dataset: Dataset) -> list[SchemaFieldClass]:
        """The fields of an open dataset, as far as a table with the same data has them; none for any other dataset."""
        fields: dict[str, SchemaFieldClass] = {}
        for other in self._same_data.get(dataset, ()) if dataset not in self._tables else ():
            table = self._tables.get(other)
            for field in schema_fields(table) if table is not None else ():
                fields.setdefault(simple_path(field).lower(), field)
        return list(fields.values())

    def open_fields(self, dataset: Dataset) -> list[SchemaFieldClass]:
        """The fields of an open dataset: those of tables with the same data in their order, then others by name."""
        named = sorted(self._named.get(dataset, {}).items())
        return [*self.fields_of_same_data(dataset), *(field for _, field in named)]

    def _known_path(self, dataset: Dataset, path: str) -> str | None:
        known = self._known_paths(dataset)
        return next((known[candidate] for candidate in _ancestry(path.lower()) if candidate in known), None)

    def _known_paths(self, dataset: Dataset) -> Mapping[str, str]:
        """By lower-case path: of a table itself, or of all tables with the same data."""
        known = self._paths.get(dataset)
        if known is None:
            table = self._tables.get(dataset)
            known = field_paths(table) if table is not None else self._paths_of_same_data(dataset)
            self._paths[dataset] = known
        return known

    def _paths_of_same_data(self, dataset: Dataset) -> Mapping[str, str]:
        known: dict[str, str] = {}
        for other in self._same_data.get(dataset, ()):
            if other in self._tables:
                known = {**self._known_paths(other), **known}
        return known

    def _learn(self, dataset: Dataset, path: str, edge: ColumnEdge, other_end: tuple[Dataset, str]) -> None:
        if dataset in self._tables or self._known_path(dataset, path) is not None:
            return
        named = self._named.setdefault(dataset, {})
        known = named.get(path.lower())
        if known is not None and known.nativeDataType != UNKNOWN_TYPE:
            return
        other, other_path = other_end
        table = self._tables.get(other) if edge.subtype == "IDENTITY" else None
        like = field_of(table, other_path) if table is not None else None
        if known is None or like is not None:
            named[path.lower()] = open_field(path if known is None else known.fieldPath, like)


def _ancestry(path: str) -> Iterator[str]:
    while path:
        yield path
        path = path.rpartition(".")[0]

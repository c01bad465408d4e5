"""`upstreamLineage`: types, stamps, grouping and transform operations of the edges."""

from __future__ import annotations

from dataclasses import replace

import pytest
from datahub.metadata.schema_classes import FineGrainedLineageClass, UpstreamLineageClass
from emit_samples import (
    ANALYST,
    DATASETS,
    EARLIER,
    LATER,
    LINEAGES,
    LOAD,
    ORDERS_SET,
    REPORT_SET,
    S3_SET,
    TABLES,
    TOTALS_SET,
    Notes,
    masked,
)
from strict_schema import assert_valid

from datahub_aws_lineage.emit.queries import QueryText
from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.upstreams import MAX_EXPRESSION, UpstreamBuilder
from datahub_aws_lineage.model.lineage import ColumnEdge, DatasetEdge, DatasetLineage, EdgeOrigin, Subtype
from datahub_aws_lineage.model.names import Dataset


def indexed(notes: Notes) -> SchemaIndex:
    schemas = SchemaIndex(notes)
    for table in TABLES:
        schemas.add(DATASETS[table.name], table)
    return schemas


def builder(query_text: QueryText = "full", *, columns: bool = True, notes: Notes | None = None) -> UpstreamBuilder:
    return UpstreamBuilder(
        env="PROD",
        schemas=indexed(notes or Notes()),
        query_text=query_text,
        mask=masked,
        include_column_lineage=columns,
    )


def built(lineage: DatasetLineage, using: UpstreamBuilder | None = None) -> UpstreamLineageClass:
    proposal = (using or builder()).proposal(lineage)
    assert proposal is not None
    assert_valid([proposal])
    assert isinstance(proposal.aspect, UpstreamLineageClass)
    return proposal.aspect


def fine_grained(lineage: DatasetLineage, using: UpstreamBuilder | None = None) -> list[FineGrainedLineageClass]:
    return built(lineage, using).fineGrainedLineages or []


def short(edge: FineGrainedLineageClass) -> tuple[list[str], str]:
    """Upstream paths and downstream path, without the datasets."""
    paths = [urn.rsplit(",", 1)[1][:-1] for urn in (*(edge.upstreams or []), *(edge.downstreams or []))]
    return paths[:-1], paths[-1]


def to_totals(*columns: ColumnEdge) -> DatasetLineage:
    return DatasetLineage(TOTALS_SET, (DatasetEdge(ORDERS_SET, "query", LOAD),), columns)


def to_total(
    source: str, subtype: Subtype, expression: str | None, confidence: float = 1.0, query: str | None = LOAD
) -> ColumnEdge:
    return ColumnEdge(ORDERS_SET, source, "total", subtype, expression, confidence, query)


@pytest.mark.parametrize("lineage", LINEAGES)
@pytest.mark.parametrize("query_text", ["full", "masked", "none"])
def test_all_samples_are_valid(lineage: DatasetLineage, query_text: QueryText) -> None:
    assert built(lineage, builder(query_text)).upstreams


@pytest.mark.parametrize(
    ("origin", "kind"),
    [("view", "VIEW"), ("query", "TRANSFORMED"), ("storage", "COPY"), ("link", "COPY"), ("external_schema", "COPY")],
)
def test_type_by_origin(origin: EdgeOrigin, kind: str) -> None:
    lineage = DatasetLineage(TOTALS_SET, (DatasetEdge(ORDERS_SET, origin),), ())
    assert [upstream.type for upstream in built(lineage).upstreams] == [kind]


def test_an_edge_says_when_by_whom_and_by_which_query() -> None:
    upstream = built(LINEAGES[-1]).upstreams[0]
    assert upstream.query == f"urn:li:query:{LOAD}"
    assert upstream.auditStamp.time == int(LATER.timestamp() * 1000)
    assert upstream.auditStamp.actor == "urn:li:corpuser:alice@example.com"


def test_an_edge_without_a_time_carries_the_same_stamp_in_every_run() -> None:
    stamp = built(LINEAGES[1]).upstreams[0].auditStamp
    assert (stamp.time, stamp.actor) == (0, "urn:li:corpuser:unknown")


def test_an_upstream_stands_once_by_the_edge_that_ranks_first_then_by_the_newest() -> None:
    edges = (
        DatasetEdge(ORDERS_SET, "query", "a" * 32, EARLIER, None),
        DatasetEdge(ORDERS_SET, "query", "b" * 32, LATER, ANALYST),
        DatasetEdge(S3_SET, "query", "c" * 32, LATER),
        DatasetEdge(S3_SET, "storage"),
    )
    upstreams = built(DatasetLineage(TOTALS_SET, edges, ())).upstreams
    assert [(upstream.type, upstream.query) for upstream in upstreams] == [
        ("TRANSFORMED", f"urn:li:query:{'b' * 32}"),
        ("COPY", None),
    ]


def test_nothing_is_emitted_where_nothing_is_known() -> None:
    assert builder().proposal(DatasetLineage(TOTALS_SET, (), ())) is None


def test_an_upstream_that_only_columns_name_gets_its_edge() -> None:
    lineage = DatasetLineage(TOTALS_SET, (), (to_total("id", "IDENTITY", None),))
    assert [upstream.query for upstream in built(lineage).upstreams] == [f"urn:li:query:{LOAD}"]


def test_a_dataset_that_reads_itself_keeps_that_edge() -> None:
    lineage = DatasetLineage(
        TOTALS_SET,
        (DatasetEdge(TOTALS_SET, "query", LOAD),),
        (ColumnEdge(TOTALS_SET, "total", "total", "TRANSFORMATION", "total + 1", 1.0, LOAD),),
    )
    assert len(built(lineage).upstreams) == len(fine_grained(lineage)) == 1


def test_columns_land_on_nested_fields_as_the_schema_spells_them() -> None:
    assert [(short(edge), edge.transformOperation) for edge in fine_grained(LINEAGES[1])] == [
        ((["items.price"], "big"), "INDIRECT:CONDITIONAL: CASE WHEN i.price > 100 THEN true END"),
        ((["user.address.City"], "city"), "DIRECT:IDENTITY"),
        ((["items.price"], "total"), "DIRECT:AGGREGATION: SUM(i.price)"),
    ]


def test_a_column_that_the_schema_lacks_makes_no_edge_and_is_counted() -> None:
    notes = Notes()
    lineage = to_totals(to_total("nowhere", "IDENTITY", None), to_total("id", "IDENTITY", None))
    assert [short(edge) for edge in fine_grained(lineage, builder(notes=notes))] == [(["id"], "total")]
    assert notes.entries == [("unresolved", "column", "glue:sales.orders has no column nowhere")]


def test_one_entry_a_column_query_and_operation_with_the_least_confidence() -> None:
    lineage = to_totals(
        to_total("items.price", "TRANSFORMATION", "price * id", 1.0),
        to_total("id", "TRANSFORMATION", "price * id", 0.7),
        to_total("id", "TRANSFORMATION", "price * id", 1.0, "e" * 32),
        to_total("dt", "CONDITIONAL", "price * id", 1.0),
    )
    assert [(short(edge)[0], edge.confidenceScore, edge.transformOperation) for edge in fine_grained(lineage)] == [
        (["id", "items.price"], 0.7, "DIRECT:TRANSFORMATION: price * id"),
        (["dt"], 1.0, "INDIRECT:CONDITIONAL: price * id"),
        (["id"], 1.0, "DIRECT:TRANSFORMATION: price * id"),
    ]


def test_identity_needs_no_expression() -> None:
    lineage = to_totals(to_total("id", "IDENTITY", "o.id"), to_total("items.price", "IDENTITY", "p.price"))
    assert [(short(edge)[0], edge.transformOperation) for edge in fine_grained(lineage)] == [
        (["id", "items.price"], "DIRECT:IDENTITY")
    ]


@pytest.mark.parametrize("query_text", ["full", "masked"])
def test_literals_of_a_query_never_reach_an_edge(query_text: QueryText) -> None:
    (edge,) = [edge for edge in fine_grained(LINEAGES[-1], builder(query_text)) if short(edge)[1] == "city"]
    assert edge.transformOperation == "DIRECT:TRANSFORMATION: COALESCE(city, ?) -- redshift"
    assert edge.query == f"urn:li:query:{LOAD}"


def test_literals_of_a_view_stay_unless_masked() -> None:
    def operation(query_text: QueryText) -> str | None:
        return fine_grained(LINEAGES[1], builder(query_text))[0].transformOperation

    assert operation("full") == "INDIRECT:CONDITIONAL: CASE WHEN i.price > 100 THEN true END"
    assert operation("masked") == "INDIRECT:CONDITIONAL: CASE WHEN i.price > ? THEN true END"
    assert operation("none") == "INDIRECT:CONDITIONAL"


def test_without_query_text_nothing_refers_to_a_query() -> None:
    aspect = built(LINEAGES[-1], builder("none"))
    assert [upstream.query for upstream in aspect.upstreams] == [None]
    assert {edge.query for edge in aspect.fineGrainedLineages or []} == {None}
    assert {edge.transformOperation for edge in aspect.fineGrainedLineages or []} == {
        "DIRECT:IDENTITY",
        "DIRECT:TRANSFORMATION",
    }


def test_a_long_expression_is_cut() -> None:
    (edge,) = fine_grained(to_totals(to_total("id", "TRANSFORMATION", "id + " * 1000 + "id")))
    assert edge.transformOperation is not None
    assert edge.transformOperation.endswith("…")
    assert len(edge.transformOperation) == len("DIRECT:TRANSFORMATION: ") + MAX_EXPRESSION


def test_column_lineage_can_be_left_out() -> None:
    assert built(LINEAGES[1], builder(columns=False)).fineGrainedLineages is None


def test_the_order_of_edges_does_not_matter() -> None:
    lineage = LINEAGES[1]
    turned = replace(lineage, columns=lineage.columns[::-1], edges=lineage.edges[::-1])
    assert built(turned) == built(lineage)


def test_instances_and_environment_reach_every_urn() -> None:
    lineage = DatasetLineage(
        REPORT_SET,
        (DatasetEdge(Dataset("glue", "a.b", "Prod"), "external_schema"),),
        (ColumnEdge(Dataset("glue", "a.b", "Prod"), "x", "city", "IDENTITY", None, 1.0),),
    )
    using = UpstreamBuilder(env="DEV", schemas=indexed(Notes()), query_text="full", mask=masked)
    (edge,) = fine_grained(lineage, using)
    assert edge.upstreams == ["urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:glue,Prod.a.b,DEV),x)"]
    assert edge.downstreams == [
        "urn:li:schemaField:(urn:li:dataset:(urn:li:dataPlatform:redshift,warehouse.dev.public.report,DEV),city)"
    ]

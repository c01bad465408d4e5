"""Query entities: text in three forms, subjects, stamps, and texts that are too long."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from datahub.emitter.mcp import MetadataChangeProposalWrapper
from datahub.ingestion.workunit_processors.ensure_aspect_size import QUERY_PROPERTIES_STATEMENT_MAX_PAYLOAD_BYTES
from datahub.metadata.schema_classes import DataPlatformInstanceClass, QueryPropertiesClass, QuerySubjectsClass
from emit_samples import DATASETS, EARLIER, LATER, QUERY, REPORT_SET, TABLES, TOTALS_SET, Notes, masked
from strict_schema import assert_valid

from datahub_aws_lineage.emit.queries import MAX_STATEMENT_BYTES, QueryBuilder, QueryText, cut_statement
from datahub_aws_lineage.emit.schema_index import SchemaIndex
from datahub_aws_lineage.emit.urns import dataset_urn, field_urn
from datahub_aws_lineage.model.lineage import Query


def proposals(
    query: Query, query_text: QueryText = "full", notes: Notes | None = None
) -> list[MetadataChangeProposalWrapper]:
    notes = notes or Notes()
    schemas = SchemaIndex(notes)
    for table in TABLES:
        schemas.add(DATASETS[table.name], table)
    builder = QueryBuilder(env="PROD", schemas=schemas, diagnostics=notes, query_text=query_text, mask=masked)
    found = list(builder.proposals(query))
    assert_valid(found)
    return found


def properties(query: Query, query_text: QueryText = "full", notes: Notes | None = None) -> QueryPropertiesClass:
    aspect = proposals(query, query_text, notes)[0].aspect
    assert isinstance(aspect, QueryPropertiesClass)
    return aspect


def subjects(query: Query, notes: Notes | None = None) -> list[str]:
    aspect = proposals(query, notes=notes)[1].aspect
    assert isinstance(aspect, QuerySubjectsClass)
    return [subject.entity for subject in aspect.subjects]


def test_text_as_it_ran_or_masked_or_nothing_at_all() -> None:
    assert properties(QUERY).statement.value == QUERY.text
    assert properties(QUERY, "masked").statement.value == masked(QUERY.text, "redshift")
    assert "secret" not in properties(QUERY, "masked").statement.value
    assert proposals(QUERY, "none") == []


def test_who_ran_it_when_and_how_often() -> None:
    aspect = properties(QUERY)
    assert (aspect.created.time, aspect.lastModified.time) == (
        int(EARLIER.timestamp() * 1000),
        int(LATER.timestamp() * 1000),
    )
    assert aspect.lastModified.actor == "urn:li:corpuser:alice@example.com"
    assert properties(replace(QUERY, actor=None)).created.actor == "urn:li:corpuser:_ingestion"
    assert (aspect.source, aspect.statement.language) == ("SYSTEM", "SQL")
    assert aspect.customProperties == {"runs": "2"}


def test_the_stored_procedures_that_it_ran_in() -> None:
    aspect = properties(replace(QUERY, procedures=("mart.load", "mart.reload")))
    assert aspect.customProperties["stored_procedures"] == "mart.load, mart.reload"


def test_platform_is_the_engine_that_ran_it() -> None:
    aspect = proposals(replace(QUERY, dialect="athena"))[2].aspect
    assert isinstance(aspect, DataPlatformInstanceClass)
    assert (aspect.platform, aspect.instance) == ("urn:li:dataPlatform:athena", None)


def test_subjects_are_datasets_each_followed_by_its_columns() -> None:
    totals, report = dataset_urn(TOTALS_SET, "PROD"), dataset_urn(REPORT_SET, "PROD")
    assert subjects(QUERY) == [
        totals,
        field_urn(totals, "city"),
        field_urn(totals, "total"),
        report,
        field_urn(report, "city"),
        field_urn(report, "total"),
    ]


def test_subjects_stand_once_and_a_column_that_is_not_there_is_none() -> None:
    notes = Notes()
    columns = ((TOTALS_SET, "city"), (TOTALS_SET, "CITY"), (TOTALS_SET, "nowhere"))
    query = replace(QUERY, subjects=(TOTALS_SET, TOTALS_SET), column_subjects=columns)
    totals = dataset_urn(TOTALS_SET, "PROD")
    assert subjects(query, notes) == [totals, field_urn(totals, "city")]
    assert notes.entries == [("unresolved", "column", "glue:sales.totals has no column nowhere")]


def test_a_text_that_is_too_long_is_cut_before_datahub_would() -> None:
    notes = Notes()
    query = replace(QUERY, text="SELECT '" + "ü" * 2_000_000 + "'")
    aspect = properties(query, notes=notes)
    assert aspect.statement.value.startswith("SELECT 'üüü")
    assert aspect.statement.value.endswith(" of 2000009 characters")
    assert len(json.dumps(aspect.to_obj())) < QUERY_PROPERTIES_STATEMENT_MAX_PAYLOAD_BYTES
    assert notes.entries == [("truncated", "query text", f"{QUERY.query_id}: 2000009 characters")]


@pytest.mark.parametrize("text", ["a" * 200, "ü" * 200, '"' * 200, "\n" * 200, "a'ü\n" * 50])
@pytest.mark.parametrize("limit", [80, 100, 150, 201, 202, 203])
def test_cut_texts_fit_and_waste_little(text: str, limit: int) -> None:
    cut = cut_statement(text, limit)
    assert len(json.dumps(cut)) <= limit
    if cut != text:
        kept, marker = cut.split("\n-- … cut: ")
        assert text.startswith(kept)
        assert marker == f"{len(kept)} of {len(text)} characters"


def test_the_limit_leaves_room_for_the_rest_of_the_aspect() -> None:
    assert MAX_STATEMENT_BYTES <= 0.9 * QUERY_PROPERTIES_STATEMENT_MAX_PAYLOAD_BYTES

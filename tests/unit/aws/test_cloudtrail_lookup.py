"""CloudTrail's event history: paging, retention, denial and throttling, against botocore's stubber."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from botocore.stub import Stubber
from cloudtrail_samples import DAY, event_id, query_id, record, request
from freezegun import freeze_time
from redshift_samples import Notes, test_session

from datahub_aws_lineage.aws.calls import iam_action
from datahub_aws_lineage.aws.clients import Clients
from datahub_aws_lineage.aws.cloudtrail_events import StartedQuery
from datahub_aws_lineage.aws.cloudtrail_lookup import PERMISSIONS, LookupEventsReader, probe
from datahub_aws_lineage.errors import AccessDeniedError, CredentialsError
from datahub_aws_lineage.model.queries import TimeWindow

WINDOW = TimeWindow(DAY, DAY + timedelta(days=1))
NOW = DAY + timedelta(days=2)
STARTS = [{"AttributeKey": "EventName", "AttributeValue": "StartQueryExecution"}]


@pytest.fixture
def clients() -> Clients:
    return Clients(test_session())


@pytest.fixture
def cloudtrail(clients: Clients) -> Iterator[Stubber]:
    with Stubber(clients.client("cloudtrail")) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def notes() -> Notes:
    return Notes()


def event(number: int, *, at: datetime = DAY + timedelta(hours=1), text: str | None = None) -> dict[str, Any]:
    written = json.dumps(record(number, at=at)) if text is None else text
    return {
        "EventId": event_id(number),
        "EventName": "StartQueryExecution",
        "ReadOnly": "false",
        "EventTime": at,
        "EventSource": "athena.amazonaws.com",
        "Username": "ann@example.com",
        "Resources": [],
        "CloudTrailEvent": written,
    }


def asked(token: str | None = None, *, start: datetime = WINDOW.start, end: datetime = WINDOW.end) -> dict[str, Any]:
    asked = {"LookupAttributes": STARTS, "StartTime": start, "EndTime": end, "MaxResults": 50}
    return asked | ({"NextToken": token} if token else {})


def page(*events: dict[str, Any], token: str | None = None) -> dict[str, Any]:
    return {"Events": list(events)} | ({"NextToken": token} if token else {})


def reader(clients: Clients, notes: Notes, window: TimeWindow = WINDOW, **options: Any) -> LookupEventsReader:
    return LookupEventsReader(clients, notes, window, **{"pause": lambda: None, "as_of": NOW, **options})


def read(clients: Clients, notes: Notes, window: TimeWindow = WINDOW, **options: Any) -> list[StartedQuery]:
    return list(reader(clients, notes, window, **options).read_started())


class TestPages:
    def test_all_pages_are_read_in_their_order(self, clients: Clients, cloudtrail: Stubber, notes: Notes) -> None:
        cloudtrail.add_response("lookup_events", page(event(4), event(3), token="two"), asked())
        cloudtrail.add_response("lookup_events", page(token="three"), asked("two"))
        cloudtrail.add_response("lookup_events", page(event(2), event(1)), asked("three"))

        assert [query.query_id for query in read(clients, notes)] == [query_id(number) for number in (4, 3, 2, 1)]
        assert notes.untroubled
        assert notes.counts == {"cloudtrail events": 4, "athena queries in cloudtrail": 4}

    def test_a_pause_stands_before_each_page_and_nowhere_else(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes
    ) -> None:
        steps: list[str] = []
        clients.client("cloudtrail").meta.events.register(
            "before-parameter-build.cloudtrail.LookupEvents", lambda **_: steps.append("call")
        )
        cloudtrail.add_response("lookup_events", page(event(2), token="two"), asked())
        cloudtrail.add_response("lookup_events", page(event(1)), asked("two"))

        read(clients, notes, pause=lambda: steps.append("pause"))

        assert steps == ["pause", "call"] * 2

    def test_the_pause_keeps_the_rate_that_cloudtrail_allows(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pauses: list[float] = []
        monkeypatch.setattr("datahub_aws_lineage.aws.cloudtrail_lookup.time.sleep", pauses.append)
        cloudtrail.add_response("lookup_events", page(), asked())

        assert list(LookupEventsReader(clients, notes, WINDOW, as_of=NOW).read_started()) == []
        assert pauses == [0.5]

    def test_nothing_is_asked_for_until_something_is_read(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes
    ) -> None:
        cloudtrail.add_response("lookup_events", page(event(1), token="two"), asked())

        assert next(reader(clients, notes).read_started()).query_id == query_id(1)

    def test_refused_calls_are_passed_over(self, clients: Clients, cloudtrail: Stubber, notes: Notes) -> None:
        refused = json.dumps(record(2, errorCode="InvalidRequestException", responseElements=None))
        cloudtrail.add_response("lookup_events", page(event(2, text=refused), event(1)), asked())

        assert [query.query_id for query in read(clients, notes)] == [query_id(1)]
        assert notes.untroubled

    def test_an_event_at_the_windows_end_is_outside(self, clients: Clients, cloudtrail: Stubber, notes: Notes) -> None:
        """CloudTrail counts the end in."""
        cloudtrail.add_response("lookup_events", page(event(2, at=WINDOW.end), event(1, at=WINDOW.start)), asked())

        assert [query.query_id for query in read(clients, notes)] == [query_id(1)]
        assert notes.reasons == {"outside_window": 1}

    def test_text_that_is_not_hidden(self, clients: Clients, cloudtrail: Stubber, notes: Notes) -> None:
        shown = json.dumps(record(1, requestParameters=request(queryString="SELECT 'ä\n'")))
        cloudtrail.add_response("lookup_events", page(event(1, text=shown)), asked())

        assert [query.text for query in read(clients, notes)] == ["SELECT 'ä\n'"]


class TestDamage:
    @pytest.mark.parametrize("text", ["{", "", "[]", "null", '{"eventName": "x"', json.dumps(record(2, eventTime=""))])
    def test_a_malformed_event_costs_itself_alone(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes, text: str
    ) -> None:
        cloudtrail.add_response("lookup_events", page(event(3), event(2, text=text), event(1)), asked())

        assert [query.query_id for query in read(clients, notes)] == [query_id(3), query_id(1)]
        ((reason, what, detail),) = notes.skips
        assert (reason, what) == ("malformed", "cloudtrail event")
        assert detail.startswith(f"{event_id(2)}: ")

    def test_an_event_without_its_record(self, clients: Clients, cloudtrail: Stubber, notes: Notes) -> None:
        cloudtrail.add_response("lookup_events", page({"EventId": event_id(1)}), asked())

        assert read(clients, notes) == []
        assert notes.reasons == {"malformed": 1}


class TestRetention:
    def test_a_window_that_begins_before_it_is_said_and_cut(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes
    ) -> None:
        window = TimeWindow(NOW - timedelta(days=91), NOW)
        cloudtrail.add_response("lookup_events", page(event(1)), asked(start=NOW - timedelta(days=90), end=window.end))

        assert len(read(clients, notes, window)) == 1
        assert notes.cuts == [
            ("cloudtrail event history", "CloudTrail keeps 90 days: nothing before 2026-02-03 00:00 UTC")
        ]

    def test_a_window_that_ends_before_it_asks_for_nothing(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes
    ) -> None:
        window = TimeWindow(NOW - timedelta(days=100), NOW - timedelta(days=95))

        assert read(clients, notes, window) == []
        assert len(notes.cuts) == 1

    def test_it_counts_from_now(self, clients: Clients, cloudtrail: Stubber, notes: Notes) -> None:
        cloudtrail.add_response("lookup_events", page(), asked(start=WINDOW.start + timedelta(hours=12)))
        with freeze_time(WINDOW.start + timedelta(days=90, hours=12)):
            assert read(clients, notes, as_of=None) == []
        assert [what for what, _ in notes.cuts] == ["cloudtrail event history"]


class TestErrors:
    def test_denial_is_a_warning_that_names_the_permission(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes
    ) -> None:
        cloudtrail.add_client_error(
            "lookup_events",
            "AccessDeniedException",
            "User: arn:aws:iam::111122223333:user/me is not authorized to perform: cloudtrail:LookupEvents "
            "because no identity-based policy allows the cloudtrail:LookupEvents action",
            http_status_code=400,
        )

        assert read(clients, notes) == []
        ((title, detail),) = notes.warnings
        assert title == "CloudTrail's event history is refused"
        assert detail.startswith("needs cloudtrail:LookupEvents: ")
        assert not notes.failures

    def test_throttling_to_a_stop_says_how_far_it_came(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes
    ) -> None:
        late, early = DAY + timedelta(hours=20), DAY + timedelta(hours=7, minutes=3)
        cloudtrail.add_response("lookup_events", page(event(2, at=late), event(1, at=early), token="two"), asked())
        cloudtrail.add_client_error("lookup_events", "ThrottlingException", "Rate exceeded", http_status_code=400)

        assert [query.query_id for query in read(clients, notes)] == [query_id(2), query_id(1)]
        ((title, detail),) = notes.failures
        assert title == "CloudTrail's event history could not be read to its end"
        assert detail.startswith(
            "events are read back to 2026-05-02 07:03:00 UTC, none before: cloudtrail:LookupEvents"
        )
        assert not notes.warnings

    @pytest.mark.parametrize("code", ["ThrottlingException", "InvalidTimeRangeException", "InternalFailure"])
    def test_a_failure_at_once_says_that_nothing_was_read(
        self, clients: Clients, cloudtrail: Stubber, notes: Notes, code: str
    ) -> None:
        cloudtrail.add_client_error("lookup_events", code, http_status_code=400)

        assert read(clients, notes) == []
        ((_, detail),) = notes.failures
        assert detail.startswith("no event was read: ")

    def test_a_token_that_comes_again_is_a_failure(self, clients: Clients, cloudtrail: Stubber, notes: Notes) -> None:
        cloudtrail.add_response("lookup_events", page(event(2), token="same"), asked())
        cloudtrail.add_response("lookup_events", page(event(1), token="same"), asked("same"))

        assert len(read(clients, notes)) == 2
        assert len(notes.failures) == 1

    def test_bad_credentials_end_the_run(self, clients: Clients, cloudtrail: Stubber, notes: Notes) -> None:
        cloudtrail.add_client_error("lookup_events", "ExpiredTokenException", http_status_code=400)
        with pytest.raises(CredentialsError):
            read(clients, notes)


def test_probe_asks_for_one_event(clients: Clients, cloudtrail: Stubber) -> None:
    cloudtrail.add_response("lookup_events", page(), asked() | {"MaxResults": 1})
    probe(clients, WINDOW)

    cloudtrail.add_client_error("lookup_events", "AccessDeniedException", http_status_code=400)
    with pytest.raises(AccessDeniedError) as caught:
        probe(clients, WINDOW)
    assert (caught.value.permission,) == PERMISSIONS


def test_the_permission_is_that_of_the_call(clients: Clients) -> None:
    assert (iam_action(clients.client("cloudtrail"), "LookupEvents"),) == PERMISSIONS

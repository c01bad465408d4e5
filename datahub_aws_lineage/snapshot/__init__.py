"""An AWS account, recorded to a folder at the level of the wire, and replayed from it."""

from datahub_aws_lineage.snapshot.recording import Recording, RecordingWriter
from datahub_aws_lineage.snapshot.replay import replaying_session

__all__ = ["Recording", "RecordingWriter", "replaying_session"]

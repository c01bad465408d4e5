"""An AWS account, recorded to a folder at the level of the wire, and replayed from it."""

from datahub_aws_lineage.snapshot.record import Recorder, attach_recorder
from datahub_aws_lineage.snapshot.recording import Recording, RecordingWriter
from datahub_aws_lineage.snapshot.replay import replaying_session
from datahub_aws_lineage.snapshot.validate import validate

__all__ = ["Recorder", "Recording", "RecordingWriter", "attach_recorder", "replaying_session", "validate"]

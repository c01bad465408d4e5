"""How to tell a statement that this package runs itself: it stands in the very history that it reads."""

from __future__ import annotations

from typing import Final

OWN_STATEMENT_MARK: Final = "/* datahub-aws-lineage */"
"""Stands before each of them; a history leaves them out."""

"""The consent log: what was answered, and which words were answered; no identity beyond a random receipt id."""

from __future__ import annotations

from consentgate.records.log import ConsentLog, NotRecordedError
from consentgate.records.opening import address_problem, beside, open_store
from consentgate.records.record import (
    ConsentRecord,
    PolicyVersion,
    RecordStore,
    StoreError,
    StoreFullError,
    new_receipt_id,
)

__all__ = [
    "ConsentLog",
    "ConsentRecord",
    "NotRecordedError",
    "PolicyVersion",
    "RecordStore",
    "StoreError",
    "StoreFullError",
    "address_problem",
    "beside",
    "new_receipt_id",
    "open_store",
]

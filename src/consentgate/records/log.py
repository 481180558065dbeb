"""Write acts to a store without blocking the event loop: bounded, rate-limited, and never in a refusal's way."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from threading import Lock
from typing import TypeVar

import anyio
import anyio.to_thread

from consentgate.records.record import ConsentRecord, PolicyVersion, RecordStore, StoreError, start_of_day

__all__ = ["ConsentLog", "NotRecordedError"]

Result = TypeVar("Result")

_THREADS = 4  # of our own: a store that hangs takes none of the application's
_MOST_BLOCKED = 16  # threads in which a store hangs; then we wait for it to wake up
_MOST_WAITING = 200  # acts; more is a flood, or a store that has stopped
_MOST_OWED = 1_000  # refusals that wait in memory for a store that is down
_OWED_AT_ONCE = 20  # of them written with one act
_REFUSAL_SECONDS = 1.0  # a refusal never waits longer for the log than an acceptance
_SECONDS_BETWEEN_WARNINGS = 60.0
_logger = logging.getLogger("consentgate")


class NotRecordedError(Exception):
    """Say that an act could not be recorded.

    Args:
        busy: whether there were too many at once, rather than a fault of the store.
    """

    def __init__(self, *, busy: bool = False) -> None:
        super().__init__("busy" if busy else "the store failed")
        self.busy = busy


class ConsentLog:
    """Record acts, and know nothing of who acted.

    Args:
        store: where records are kept.
        per_minute: how many grants, and as many other acts, one process records per minute.
        grant_seconds: how long a visitor waits for a grant to be recorded, or a receipt to be read.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        store: RecordStore,
        *,
        per_minute: int = 600,
        grant_seconds: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self._limiter = anyio.CapacityLimiter(_THREADS)
        self._seconds = {True: grant_seconds, False: min(grant_seconds, _REFUSAL_SECONDS)}
        self._waiting = 0
        self._inside = 0  # threads at work in the store, those nobody waits for any more included
        self._lock = Lock()
        # Two allowances: a flood of refusals leaves grants possible.
        self._allowances = {grants: _Allowance(per_minute, clock) for grants in (True, False)}
        self._owed: deque[tuple[ConsentRecord, PolicyVersion]] = deque(maxlen=_MOST_OWED)
        self._clock = clock
        self._warned_at = float("-inf")

    @property
    def threads_at_work(self) -> int:
        """How many threads are in the store, those nobody waits for any more included."""
        return self._inside

    async def write(self, record: ConsentRecord, version: PolicyVersion, *, only_refuses: bool | None = None) -> None:
        """Record an act; return when it is durable.

        Args:
            record: the act.
            version: the policy version it answers.
            only_refuses: whether it agrees to nothing new, and so holds even when it is recorded later; by default
                when nothing is granted after it.

        Raises:
            NotRecordedError: when it is not; a refusal is then recorded with a later act.
        """
        grants = record.grants if only_refuses is None else not only_refuses
        if not self._allowances[grants].take():
            self._warn("rate", None)
            raise NotRecordedError(busy=True)
        attempt = _Attempt(self.store, record, version, grants=grants)
        try:
            await self._run(lambda: self._append(attempt), seconds=self._seconds[grants])
        except NotRecordedError:
            if self._has_given_up(attempt):
                raise
        except BaseException:  # the visitor left
            self._has_given_up(attempt)
            raise

    def take_over(self, before: ConsentLog) -> None:
        """Owe what another log of this process owes, whose place this one takes, and what its last attempts leave."""
        self._owed = before._owed
        before._let_go()

    async def settle(self) -> None:
        """Record what is owed, as far as the store takes it in a few seconds; call it before the process ends."""
        if self._owed:
            with suppress(NotRecordedError):
                await self._run(self._settle, seconds=self._seconds[True])
        if lost := len(self._owed):
            _logger.warning("%s withdrawals and refusals were not recorded: the consent log cannot be used.", lost)
        self._let_go()

    def _let_go(self) -> None:
        """Close the store's connections, if it is one that has some; what is still to be written opens them again."""
        if (close := getattr(self.store, "close", None)) is not None:
            close()

    def _settle(self) -> None:
        while self._owed:
            self._append_owed()

    def _has_given_up(self, attempt: _Attempt) -> bool:
        if attempt.give_up():
            self._owe(attempt.record, attempt.version)
        return attempt.is_given_up

    def _append(self, attempt: _Attempt) -> None:
        try:
            attempt()
        except BaseException:
            if attempt.fail():  # after its visitor was let go
                self._owe(attempt.record, attempt.version)
            raise
        for _ in range(min(len(self._owed), _OWED_AT_ONCE)):  # the store works again
            self._append_owed()

    def _append_owed(self) -> None:
        with suppress(IndexError):  # another thread took the last one
            owed = self._owed.popleft()
            try:
                self.store.append(*owed)
            except Exception:
                self._owed.appendleft(owed)
                raise

    def _owe(self, record: ConsentRecord, version: PolicyVersion) -> None:
        """Remember a refusal that could not be recorded: it holds, and is recorded with the next act.

        The visitor's cookie keeps the receipt it had, so that the act gets none of its own.
        """
        time = record.time if record.previous else start_of_day(record.time)
        self._owed.append((replace(record, receipt_id="", time=time), version))

    async def trail(self, receipt_id: str) -> Sequence[ConsentRecord]:
        """Return a receipt's acts, oldest first; see `RecordStore.trail`.

        Raises:
            NotRecordedError: when the store fails.
        """
        return await self._run(lambda: self.store.trail(receipt_id), seconds=self._seconds[True])

    async def erase(self, receipt_id: str) -> int:
        """Take the identity out of a receipt's acts; see `RecordStore.erase`.

        Raises:
            NotRecordedError: when the store fails.
        """
        return await self._run(lambda: self._erase(receipt_id), seconds=self._seconds[True])

    def _erase(self, receipt_id: str) -> int:
        for _ in range(len(self._owed)):  # what is written later must not bring the id back
            with suppress(IndexError):
                record, version = self._owed.popleft()
                if receipt_id and record.previous == receipt_id:
                    record = replace(record, previous="", time=start_of_day(record.time))
                self._owed.append((record, version))
        return self.store.erase(receipt_id)

    async def policy_version(self, wording: str) -> PolicyVersion | None:
        """Return the policy version that holds a wording.

        Raises:
            NotRecordedError: when the store fails.
        """
        return await self._run(lambda: self.store.policy_version(wording), seconds=self._seconds[True])

    async def _run(self, work: Callable[[], Result], *, seconds: float) -> Result:
        if self._waiting >= _MOST_WAITING:
            self._warn("rate", None)
            raise NotRecordedError(busy=True)
        if self._inside >= _MOST_BLOCKED:
            self._warn("store", TimeoutError())
            raise NotRecordedError
        self._waiting += 1
        try:
            with anyio.fail_after(seconds):
                return await anyio.to_thread.run_sync(
                    self._counted, work, limiter=self._limiter, abandon_on_cancel=True
                )
        except Exception as error:  # a store is anybody's code, and none of its faults reaches a visitor
            self._warn("store", error)
            raise NotRecordedError from None
        finally:
            self._waiting -= 1

    def _counted(self, work: Callable[[], Result]) -> Result:
        with self._lock:
            self._inside += 1
        try:
            return work()
        finally:
            with self._lock:
                self._inside -= 1

    def _warn(self, cause: str, error: Exception | None) -> None:
        """Say at most once a minute what goes wrong, by the error's type only: its text may hold the record."""
        if self._clock() - self._warned_at < _SECONDS_BETWEEN_WARNINGS:
            return
        self._warned_at = self._clock()
        if isinstance(error, StoreError):
            _logger.warning("The consent log cannot be used, so grants are not taken and refusals are. %s", error)
        elif cause == "rate":
            _logger.warning("More choices arrive than records_per_minute allows: grants above it are not taken.")
        else:
            kind = f"{type(error).__module__}.{type(error).__qualname__}"
            _logger.warning("The consent log cannot be used, so grants are not taken and refusals are: %s", kind)


class _Attempt:
    """Append one record, while its visitor waits or no longer does.

    Args:
        store: where to.
        record: the act.
        version: the policy version it answers.
        grants: whether it agrees to something: what is finished after its visitor was told "not recorded" is then made
            anonymous again. An act that only refuses holds whenever it is recorded.
    """

    def __init__(self, store: RecordStore, record: ConsentRecord, version: PolicyVersion, *, grants: bool) -> None:
        self.record = record
        self.version = version
        self.is_given_up = False
        self._store = store
        self._grants = grants
        self._lock = Lock()
        self._is_at_work = False  # in the store, whether or not somebody still waits for it
        self._is_durable = False

    def __call__(self) -> None:
        if not self._has_begun():
            return
        self._store.append(self.record, self.version)
        with self._lock:
            self._is_durable = True
            too_late = self.is_given_up
        if too_late and self._grants and self.record.receipt_id:
            self._store.erase(self.record.receipt_id)

    def _has_begun(self) -> bool:
        with self._lock:
            self._is_at_work = not self.is_given_up
            return self._is_at_work

    def fail(self) -> bool:
        """Note that the store failed; tell whether that leaves a refusal that nobody else remembers."""
        with self._lock:
            self._is_at_work = False
            return self.is_given_up and not self._grants and not self._is_durable

    def give_up(self) -> bool:
        """Wait no longer; tell whether that leaves a refusal that is neither recorded nor about to be."""
        with self._lock:
            self.is_given_up = not self._is_durable
            return self.is_given_up and not self._grants and not self._is_at_work


class _Allowance:
    """Let through so many a minute, a minute's worth at once at most."""

    def __init__(self, per_minute: int, clock: Callable[[], float]) -> None:
        self._most = float(per_minute)
        self._left = self._most
        self._clock = clock
        self._at = clock()

    def take(self) -> bool:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._most / 60)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True

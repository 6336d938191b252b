"""Whatever is done to cases in whatever order: the trail is valid, and nothing outlives its time."""

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    rule,
    run_state_machine_as_test,
)

from serve.making import NOW, finding, make, say
from transxv2s.serve import deletion, integrity, worklist
from transxv2s.serve.db.models import Case
from transxv2s.serve.db.session import Database
from transxv2s.serve.images import ImageStore
from transxv2s.serve.settings import Settings


@dataclass
class Expected:
    """What is known of a case."""

    percent: int
    created: datetime
    expires: datetime
    images_until: datetime
    referred: bool
    digests: set[str] = field(default_factory=set)
    reviews: int = 0


class Cases(RuleBasedStateMachine):
    first_file: Path
    made = Bundle("made")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.first_file, self.folder / "cases.sqlite")
        self.database = Database(f"sqlite:///{self.folder / 'cases.sqlite'}")
        self.settings = Settings(data_dir=self.folder, retention_days=3, export_days=1)
        self.store = ImageStore(self.settings.images)
        self.now = NOW
        self.known: dict[str, Expected] = {}

    def teardown(self) -> None:
        self.database.close()
        shutil.rmtree(self.folder)

    @rule(target=made, percent=st.integers(0, 100), referred=st.booleans(), seed=st.integers(0, 2))
    def create(self, percent: int, referred: bool, seed: int) -> str:
        self.now += timedelta(minutes=1)
        found = finding({"MEL": percent / 100}, referred)
        case = make(self.database, self.store, self.settings, found, found, now=self.now, seed=seed)
        digests = {d for image in case.images for d in (image.digest, image.seen_digest) if d}
        expires = self.now + timedelta(days=3)
        self.known[case.id] = Expected(percent, self.now, expires, expires, referred, digests)
        return case.id

    @rule(case_id=made)
    def review(self, case_id: str) -> None:
        if expected := self.known.get(case_id):
            expected.reviews += 1
            expected.images_until = min(expected.images_until, self.now + timedelta(days=1))
            said = say(self.database, self.settings, case_id, now=self.now)
            assert said.number == expected.reviews

    @rule(case_id=consumes(made))
    def erase(self, case_id: str) -> None:
        if self.known.pop(case_id, None):
            deletion.erase(self.database, self.store, case_id, actor="ada", now=self.now)

    @rule(hours=st.integers(0, 60))
    def expire(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        due = {case_id for case_id, expected in self.known.items() if expected.expires <= self.now}
        assert deletion.expire(self.database, self.store, self.now) == len(due)
        self.known = {case_id: e for case_id, e in self.known.items() if case_id not in due}
        for expected in self.known.values():
            if expected.images_until <= self.now:
                expected.digests.clear()

    @invariant()
    def the_trail_is_valid(self) -> None:
        assert integrity.verify(self.database, self.store).fault is None

    @invariant()
    def the_store_holds_what_is_known_and_no_more(self) -> None:
        assert set(self.store.digests()) == set().union(*(e.digests for e in self.known.values()))

    @invariant()
    def the_worklist_holds_what_waits(self) -> None:
        waiting = [(case_id, e) for case_id, e in self.known.items() if e.referred and not e.reviews]
        ordered = sorted(waiting, key=lambda pair: (-(pair[1].percent // 5), pair[1].created))
        with self.database.reading() as session:
            page: list[Case] = worklist.page(session, 100)
        assert [case.id for case in page] == [case_id for case_id, _ in ordered]


def test_cases_live_and_die_as_they_should(first_file: Path) -> None:
    Cases.first_file = first_file
    run_state_machine_as_test(
        Cases,
        settings=settings(
            max_examples=15,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )

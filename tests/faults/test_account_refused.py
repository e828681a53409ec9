"""An account without credit, on a whole site: the number that stands in answers all once, also after a kill -9."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import processes
from tests.faults import site, whole
from tests.world import AUTH_ID

pytestmark = pytest.mark.processes

SECOND, TOKEN, NUMBER = "MA" + "B" * 18, "the-second-token", "33937000099"
STAND_IN = f"""
from hotlines.models import Account, Hotline
hotline = Hotline.objects.get(number="+33937000001")
other = Account(organization=hotline.organization, label="second", provider="plivo", price_out="0.09")
other.credentials = {{"auth_id": "{SECOND}", "auth_token": "{TOKEN}"}}
other.save()
hotline.stand_in = Hotline.objects.create(
    organization=hotline.organization, account=other, name="second", number="+{NUMBER}", kind=hotline.kind,
    messages_per_second=500,
)
hotline.save()
"""


@pytest.mark.proof
def test_everybody_is_answered_once_by_the_number_that_stands_in(tmp_path: Path) -> None:
    with whole.running(tmp_path) as running:
        processes.manage(running.site.environment, "shell", "--no-imports", "--command", STAND_IN)
        own = running.plivo.accounts or {}
        assert site.answers(running.site, 4) == {200: 4}
        running.eventually(lambda: running.states() == {"sent": 4})
        running.plivo.accounts = {AUTH_ID: "another token", SECOND: TOKEN}  # out of credit is a refusal as well
        assert site.answers(running.site, 20, first=4) == {200: 20}
        running.eventually(lambda: running.states().get("sent", 0) >= 10)
        running.fleet.kill("worker")
        running.eventually(lambda: not running.states().keys() & {"pending", "released"})
        taken = [entry for entry in running.plivo.ledger.entries if entry["accepted"]]
        answered = {entry["dst"] for entry in taken}
        assert len(answered) == len(taken)
        # What the killed worker had claimed and not sent yet becomes unknown, and is not sent again.
        assert len(set(site.senders(24)) - answered) <= 24 - running.states()["sent"]
        assert [entry["src"] for entry in taken[4:]] == [NUMBER] * (len(taken) - 4)
        # The people say that the account is paid for again: the number answers for itself.
        running.plivo.accounts = {**own, SECOND: TOKEN}
        resume = "from hotlines.models import Account; Account.objects.update(sending_paused_at=None, "
        resume += "sending_paused_reason='', resume_sending_at=None)"
        processes.manage(running.site.environment, "shell", "--no-imports", "--command", resume)
        assert site.answers(running.site, 4, first=24) == {200: 4}
        running.eventually(lambda: len(running.recipients()) >= len(taken) + 4)
        assert [entry["src"] for entry in running.plivo.ledger.entries if entry["accepted"]][-1] == "33937000001"

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

BOX = """
  Paravent, the demo

    phone      {url}/simulator/
    page       {url}/fr/anti-relous/
    API        {url}/api/v1/docs/
    admin      {url}/admin/
    user       {user}
    password   {password}

  {news}
  The password is new at each start and ends with the next one.
"""


class Command(BaseCommand):
    help = (
        "Create the demo's organization with three simulated numbers, unless it exists, and give its owner a new "
        "one-time password: each run prints another one and ends the one before, with whoever was signed in by it. "
        "Only with PARAVENT_DEMO=1."
    )

    def handle(self, **_options: Any) -> None:
        if not settings.DEMO or not settings.SIMULATOR:
            raise CommandError(
                "This is not a demo (PARAVENT_DEMO=1, and PARAVENT_SIMULATOR not 0). Nothing was changed: an "
                "installation that serves people gets no demo data and no user with a printed password."
            )
        from simulator import demo  # noqa: PLC0415  its models exist only with the simulator

        news = (
            "A new organization with three numbers was created."
            if demo.load()
            else "Everything is as you left it. Remove var/ to begin anew."
        )
        password = demo.renew_password()
        self.stdout.write(BOX.format(url=settings.PUBLIC_URL, user=demo.OWNER, password=password, news=news))

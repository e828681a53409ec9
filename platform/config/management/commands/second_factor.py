from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import second_factor


class Command(BaseCommand):
    """For who lost her phone and her recovery codes."""

    help = "Remove the second factors of a user, who chooses another with her next sign-in."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", help="her user name")
        parser.add_argument(
            "--forget", action="store_true", required=True, help="you have made sure that it is she who asks"
        )

    def handle(self, *_arguments: Any, **options: Any) -> None:
        try:
            user = get_user_model().objects.get_by_natural_key(options["name"])
        except get_user_model().DoesNotExist as error:
            raise CommandError(f"There is no user “{options['name']}”. Nothing was changed.") from error
        removed = second_factor.forget(user)
        self.stdout.write(
            f"{removed} second factors of {user.get_username()} were removed, and she is signed out "
            "everywhere. She chooses another with her next sign-in."
        )

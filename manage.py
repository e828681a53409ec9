#!/usr/bin/env python3
"""The one entry point: server, workers and every administrative command start here."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# `platform` and `numbers` are standard-library modules, so our areas are import roots, never packages.
sys.path[1:1] = [str(ROOT / area) for area in ("platform", "numbers", "messaging")]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

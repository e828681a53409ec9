"""The French of every page: complete, with the same placeholders, typeset as French is, and compiled."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import polib
import pytest
import unfold
from django.utils import translation

ROOT = Path(__file__).resolve().parents[2]
CATALOGUES = sorted(ROOT.glob("[pnm]*/*/locale/*/LC_MESSAGES/django.po"))
LANGUAGES = ("fr", "es", "de", "ar")
PLACEHOLDER = re.compile(r"%\([a-z_]+\)[sd]|%[sd]|\{[a-z_]*\}|<[^>]*>")
needs_gettext = pytest.mark.skipif(shutil.which("xgettext") is None, reason="the Debian package gettext is not here")


def name(path: Path) -> str:
    return str(path.relative_to(ROOT).parent.parent)


each_catalogue = pytest.mark.parametrize("path", CATALOGUES, ids=name)


def test_there_is_a_catalogue_for_the_admin() -> None:
    assert ROOT / "platform/config/locale/fr/LC_MESSAGES/django.po" in CATALOGUES


def ids(catalogue: polib.POFile) -> set[tuple[str, str, str]]:
    return {(entry.msgctxt or "", entry.msgid, entry.msgid_plural) for entry in catalogue}


def collect(folder: Path, *command: str) -> None:
    """Django's `makemessages` in a copy, as `make messages` calls it."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("PARAVENT_", "DJANGO_"))}
    environment = {
        "PARAVENT_DEMO": "1",
        "PARAVENT_SECRET_KEY": "only-for-this-0123456789abcdefghijklmnopqrstuvwxyz",
        "PARAVENT_MASTER_KEY": "b25seS1mb3ItdGVzdHMtbWFzdGVyLWtleS0zMmJ5dGU=",
    }
    languages = [part for language in LANGUAGES for part in ("--locale", language)]
    arguments = [sys.executable, *command, "makemessages", *languages, "--no-obsolete", "--verbosity", "0"]
    subprocess.run(
        arguments, cwd=folder, env={**inherited, **environment}, check=True, capture_output=True, timeout=120
    )


@needs_gettext
def test_no_text_of_ours_is_missing_or_left_over(tmp_path: Path) -> None:
    ignore = shutil.ignore_patterns("__pycache__", "migrations", "static")
    shutil.copy(ROOT / "manage.py", tmp_path)
    for area in ("platform", "numbers", "messaging"):
        shutil.copytree(ROOT / area, tmp_path / area, ignore=ignore)
    collect(tmp_path, "manage.py")
    for path in CATALOGUES:
        collected = polib.pofile(str(tmp_path / path.relative_to(ROOT)))
        assert ids(polib.pofile(str(path))) ^ ids(collected) == set(), "run `make messages` and translate"


@needs_gettext
def test_no_word_of_the_theme_stays_english(tmp_path: Path) -> None:
    """django-unfold brings no translation; `config.theme_texts` names its words, of whichever version is installed."""
    package = Path(unfold.__file__).parent
    ignore = shutil.ignore_patterns("static", "contrib", "__pycache__")
    shutil.copytree(package, tmp_path / "unfold", ignore=ignore)
    (tmp_path / "locale").mkdir()
    collect(tmp_path, "-m", "django")
    words = polib.pofile(str(tmp_path / "locale/fr/LC_MESSAGES/django.po"))
    assert len(words) > 100
    catalogue = translation.trans_real.translation("fr")._catalog
    known = {key[0] if isinstance(key, tuple) else key for key, _text in catalogue.items()}
    contexts = [f"{entry.msgctxt}\x04{entry.msgid}" if entry.msgctxt else entry.msgid for entry in words]
    assert [text for text in contexts if text not in known] == []


@each_catalogue
def test_every_entry_is_translated(path: Path) -> None:
    catalogue = polib.pofile(str(path))
    assert [entry.msgid for entry in catalogue if not entry.translated()] == []
    assert [entry.msgid for entry in catalogue.fuzzy_entries()] == []
    assert list(catalogue.obsolete_entries()) == []


#: What counts, in texts of one and many.
_COUNTED = {"%(count)d", "%(count)s", "%(left)s", "%(left)d"}


def translations(entry: polib.POEntry) -> list[tuple[str, str]]:
    """Pairs of original and translation."""
    if not entry.msgid_plural:
        return [(entry.msgid, entry.msgstr)]
    return [(entry.msgid_plural, text) for text in entry.msgstr_plural.values()]


@each_catalogue
def test_placeholders_and_markup_are_those_of_the_original(path: Path) -> None:
    for entry in polib.pofile(str(path)):
        singular = set(PLACEHOLDER.findall(entry.msgid))
        for form, (original, text) in enumerate(translations(entry)):
            wanted, found = set(PLACEHOLDER.findall(original)), set(PLACEHOLDER.findall(text))
            # Of one, and where a language has words for none and two, the number may stand in the word itself.
            last = form == len(entry.msgstr_plural) - 1
            counted = set() if last else wanted if len(entry.msgstr_plural) > 2 else _COUNTED
            assert found == wanted or (entry.msgid_plural and singular - counted <= found <= wanted), text
            assert (text.startswith("\n"), text.endswith("\n")) == (original.startswith("\n"), original.endswith("\n"))


@pytest.mark.parametrize("path", [path for path in CATALOGUES if "/fr/" in str(path)], ids=name)
def test_french_is_typeset_as_french(path: Path) -> None:
    """Typographic apostrophes, guillemets with their spaces, and no sign alone at the beginning of a line."""
    wrong = re.compile(r"""['"“”]|[^\u00a0\u202f]»|«[^\u00a0\u202f]|(?<![\u00a0\u202f])[?!;:](?=\s|$)|\.\.\.""")
    for entry in polib.pofile(str(path)):
        for _original, text in translations(entry):
            prose = re.sub(r"<[^>]*>|`[^`]*`|\[[^\]]*\]|https?://\S+", "", text)
            assert wrong.search(prose) is None, text


@each_catalogue
def test_the_compiled_file_says_the_same(path: Path) -> None:
    source, compiled = polib.pofile(str(path)), polib.mofile(str(path.with_suffix(".mo")))

    def texts(catalogue: polib.POFile | polib.MOFile) -> dict[tuple[str, str, str], object]:
        return {
            (entry.msgctxt or "", entry.msgid, entry.msgid_plural): entry.msgstr_plural or entry.msgstr
            for entry in catalogue
        }

    assert texts(source) == texts(compiled), "run `make messages`"

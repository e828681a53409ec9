"""The record of shown numbers can only grow; what is older than a year may be deleted.

SQLite drops triggers when it remakes a table: a later migration of that table must make them again, and
`tests/evidence/test_reveals.py` says so when it did not.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

_POSTGRESQL = """
CREATE FUNCTION evidence_reveal_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND OLD.at < now() - interval '365 days' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'evidence_reveal is append-only' USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER evidence_reveal_append_only BEFORE UPDATE OR DELETE ON evidence_reveal
    FOR EACH ROW EXECUTE FUNCTION evidence_reveal_append_only();
"""
_POSTGRESQL_BACK = """
DROP TRIGGER evidence_reveal_append_only ON evidence_reveal;
DROP FUNCTION evidence_reveal_append_only();
"""
_SQLITE = (
    """
    CREATE TRIGGER evidence_reveal_no_update BEFORE UPDATE ON evidence_reveal
    BEGIN SELECT RAISE(ABORT, 'evidence_reveal is append-only'); END
    """,
    """
    CREATE TRIGGER evidence_reveal_no_delete BEFORE DELETE ON evidence_reveal
    WHEN OLD.at >= datetime('now', '-365 days')
    BEGIN SELECT RAISE(ABORT, 'evidence_reveal is append-only'); END
    """,
)
_SQLITE_BACK = ("DROP TRIGGER evidence_reveal_no_update", "DROP TRIGGER evidence_reveal_no_delete")


def _run(schema_editor: Any, postgresql: str, sqlite: tuple[str, ...]) -> None:
    statements = (postgresql,) if schema_editor.connection.vendor == "postgresql" else sqlite
    for statement in statements:
        schema_editor.execute(statement, params=None)


def forwards(_apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, _POSTGRESQL, _SQLITE)


def backwards(_apps: Any, schema_editor: Any) -> None:
    _run(schema_editor, _POSTGRESQL_BACK, _SQLITE_BACK)


class Migration(migrations.Migration):
    dependencies = [("evidence", "0001_initial")]
    operations = [migrations.RunPython(forwards, backwards)]

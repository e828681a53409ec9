from django.db import migrations
from django.db.models import Max


def begin(apps, schema_editor):
    """What was received before is of days whose budget nobody had set."""
    last = apps.get_model("conversations", "Message").objects.aggregate(last=Max("pk"))["last"] or 0
    apps.get_model("shield", "Intake").objects.get_or_create(pk=1, defaults={"counted_to": last, "seen_to": last})


def forget(apps, schema_editor):
    """On the way back: the constraints of before know no such rows. In a transaction before the one that restores them."""
    apps.get_model("shield", "Alert").objects.filter(kind="number").delete()
    apps.get_model("shield", "Spending").objects.filter(scope="inbound").delete()


class Migration(migrations.Migration):
    dependencies = [
        ("shield", "0005_inbound"),
        ("conversations", "0005_lanes"),
    ]

    operations = [
        migrations.RunPython(begin, forget),
    ]

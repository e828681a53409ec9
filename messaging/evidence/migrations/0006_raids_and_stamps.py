import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("evidence", "0005_sender_commit"),
        ("shield", "0006_intake"),
    ]

    operations = [
        migrations.AddField(
            model_name="head",
            name="stamp",
            field=models.BinaryField(max_length=100000, null=True),
        ),
        migrations.RenameField(model_name="export", old_name="pseudonym", new_name="name"),
        migrations.AlterField(
            model_name="export",
            name="name",
            field=models.CharField(max_length=100, verbose_name="what it is about"),
        ),
        migrations.AddField(
            model_name="export",
            name="raid",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="shield.levelchange",
                verbose_name="raid",
            ),
        ),
        migrations.AddConstraint(
            model_name="export",
            constraint=models.CheckConstraint(
                condition=models.Q(("conversation__isnull", True), ("raid__isnull", True), _connector="OR"),
                name="export_of_one_thing",
            ),
        ),
    ]

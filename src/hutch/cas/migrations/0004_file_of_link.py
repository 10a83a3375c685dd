from typing import Any

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import OuterRef, Subquery


def _as_it_was(apps: Any, _schema: Any) -> None:
    """Until now all who had an object had its one Xet file."""
    objects = apps.get_model("cas", "LargeObject").objects
    for name in ("ObjectLink", "Receipt"):
        rows = apps.get_model("cas", name).objects
        rows.update(xet_file_id=Subquery(objects.filter(pk=OuterRef("object_id")).values("xet_file_id")[:1]))


class Migration(migrations.Migration):
    dependencies = [("cas", "0003_care")]

    operations = [
        migrations.AlterField("xetfile", "hash", models.CharField(max_length=64, db_index=True)),
        migrations.AddField(
            "objectlink",
            "xet_file",
            models.ForeignKey(
                null=True, blank=True, on_delete=django.db.models.deletion.PROTECT, related_name="object_links", to="cas.xetfile"
            ),
        ),
        migrations.AddField(
            "receipt",
            "xet_file",
            models.ForeignKey(
                null=True, blank=True, on_delete=django.db.models.deletion.SET_NULL, related_name="object_receipts", to="cas.xetfile"
            ),
        ),
        migrations.RunPython(_as_it_was, migrations.RunPython.noop),
    ]

"""`hutch doctor`: whether this machine and these settings let the hub do its work."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from hutch.command.root import cli, say


@cli.command()
@click.option("--host", help="Address that the server listens on (default 127.0.0.1).")
@click.option("--port", type=click.IntRange(1, 65535), help="Port that the server listens on (default 8000).")
@click.option("--data", type=click.Path(file_okay=False), help="The data folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
def doctor(host: str | None, port: int | None, data: str | None, as_json: bool) -> None:
    """Check the installation. Exits 1 if something is bad; each finding says what to do.

    Changes nothing, before the first start as beside a running server.
    """
    findings = _findings(host, port, data)
    counts = {level: sum(finding.level == level for finding in findings) for level in ("ok", "warn", "bad")}
    verdict = ", ".join(f"{count} {level}" for level, count in counts.items())
    text = "\n".join([*(finding.line() for finding in findings), verdict])
    say(
        {
            "checks": [asdict(finding) for finding in findings],
            **counts,
            "text": text,
            "exit": int(counts["bad"] > 0),
        },
        as_json,
    )


def _findings(host: str | None, port: int | None, data: str | None) -> list[Any]:
    from hutch import settings
    from hutch.command import findings, machine_checks, service_checks
    from hutch.core.errors import HutchError

    settings.export(host=host, port=port, data=data)
    try:
        known = settings.current()
    except HutchError as error:
        return [findings.Finding("settings", "bad", error.message, "see docs/settings.md")]
    machine, services = machine_checks, service_checks
    checks: list[findings.Check] = [
        machine.git, machine.folder, machine.disk, machine.space, machine.inodes, machine.memory, machine.clock,
        services.database, services.port, services.tls, services.address, services.mail,
    ]  # fmt: skip
    return [findings.run(check, known) for check in checks]

"""`hutch serve`: one process tree that ends together."""

from __future__ import annotations

import socket

import click

from hutch.command.root import cli, prepare


@cli.command()
@click.option("--host", help="Address to listen on (default 127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="Port to listen on (default 8000; 0 takes a free one)."
)
@click.option("--data", type=click.Path(file_okay=False), help="The data folder (default ./data).")
@click.option("--tls-cert", type=click.Path(exists=True, dir_okay=False), help="Certificate file (PEM).")
@click.option("--tls-key", type=click.Path(exists=True, dir_okay=False), help="Private key file (PEM).")
def serve(
    host: str | None, port: int | None, data: str | None, tls_cert: str | None, tls_key: str | None
) -> None:
    """Serve the hub."""
    from hutch import settings

    settings.export(host=host, port=port, data=data, tls_cert=tls_cert, tls_key=tls_key)
    if settings.current().port == 0:
        settings.export(port=free_port(settings.current().host))
    prepare(data)
    from hutch import server

    server.run()


def free_port(host: str) -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])

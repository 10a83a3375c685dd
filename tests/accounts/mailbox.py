"""A small real mail server on a port of its own: it takes every mail and keeps it (RFC 5321)."""

from __future__ import annotations

import email
import email.policy
import socketserver
import threading
from email.message import EmailMessage
from typing import Any


class Mailbox:
    """What has come in."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.accepts = True
        box = self

        class _Session(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                for line in self.rfile:
                    if not self._answer(line.strip().upper()):
                        return

            def _answer(self, command: bytes) -> bool:
                if command.startswith(b"DATA"):
                    self.wfile.write(b"354 go on\r\n")
                    box.keep(self._body())
                elif command.startswith(b"RCPT") and not box.accepts:
                    self.wfile.write(b"550 no\r\n")
                    return True
                self.wfile.write(b"221 bye\r\n" if command.startswith(b"QUIT") else b"250 ok\r\n")
                return not command.startswith(b"QUIT")

            def _body(self) -> bytes:
                lines: list[bytes] = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line[1:] if line.startswith(b"..") else line)
                return b"".join(lines)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """As the setting `smtp_url` takes it."""
        return f"smtp://127.0.0.1:{self._server.server_address[1]}"

    def keep(self, raw: bytes) -> None:
        """Takes a mail in."""
        message: Any = email.message_from_bytes(raw, policy=email.policy.default)
        self.mails.append(message)

    def last_to(self, address: str) -> str:
        """The text of the latest mail to an address, subject first."""
        mail = [mail for mail in self.mails if mail["To"] == address][-1]
        body = mail.get_body(("plain",))
        assert body is not None
        return f"{mail['Subject']}\n{body.get_content()}"

    def close(self) -> None:
        """Stops listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

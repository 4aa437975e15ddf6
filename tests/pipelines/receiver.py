"""Receivers of webhooks and of mail on loopback."""

import email
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.policy import default
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any


@contextmanager
def receiving() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The receiver's address, and what was posted to it so far."""
    received: list[dict[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/told", received
    finally:
        server.shutdown()


@contextmanager
def receiving_mail() -> Iterator[tuple[str, list[EmailMessage]]]:
    """The receiver's host and port, and the messages that came so far, by SMTP (RFC 5321) as far as they need it."""
    received: list[EmailMessage] = []

    class Receiver(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 localhost\r\n")
            while words := self.rfile.readline().upper().split():
                if words[0] == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    message = email.message_from_bytes(
                        b"".join(line.removeprefix(b".") for line in lines), policy=default
                    )
                    received.append(message)
                self.wfile.write(b"221 bye\r\n" if words[0] == b"QUIT" else b"250 well\r\n")
                if words[0] == b"QUIT":
                    return

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Receiver) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}", received
        server.shutdown()

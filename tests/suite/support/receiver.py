"""A real SMTP receiver for the tests: aiosmtpd, mails into a folder, one line of JSON on stdout for each.

Recipients whose local part begins with "refused" get 550, with "later" 451, with "hangup" a closed
connection, with "vanish" one after the message. Arguments: FOLDER [starttls|tls|mutual|token CERTIFICATE KEY]. "mutual" asks for a
certificate by the authority CERTIFICATE, "token" for a login by XOAUTH2 with the token "hunter2".
"""

import asyncio
import base64
import json
import ssl
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, AuthResult


class Handler:
    def __init__(self, folder, tls):
        self.tls = tls
        self.folder = Path(folder)
        self.count = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address.startswith("refused"):
            return "550 5.1.1 <%s> no such user" % address
        if address.startswith("hangup"):
            server.transport.close()
        if address.startswith("later"):
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.count += 1
        path = self.folder / ("%06d.eml" % self.count)
        path.write_bytes(envelope.original_content)
        line = {
            "file": str(path),
            "from": envelope.mail_from,
            "to": envelope.rcpt_tos[0],
            # With STARTTLS required there is no way here without it.
            "tls": self.tls,
            "login": bool(session.authenticated),
        }
        print(json.dumps(line), flush=True)
        if envelope.rcpt_tos[0].startswith("vanish"):
            server.transport.close()
        return "250 taken"


    async def auth_XOAUTH2(self, server, args):
        # "user=" address ^A "auth=Bearer " token ^A ^A
        said = base64.b64decode(args[1]).decode()
        good = said == "user=morgenlage\x01auth=Bearer hunter2\x01\x01"
        return AuthResult(success=good, handled=False, auth_data="morgenlage")


def authenticator(server, session, envelope, mechanism, data):
    # Not "handled": aiosmtpd itself is to answer.
    return AuthResult(success=data.login == b"morgenlage" and data.password == b"hunter2", handled=False)


async def main():
    mode = sys.argv[2] if len(sys.argv) > 2 else "plain"
    handler = Handler(sys.argv[1], mode != "plain")
    context = None
    if mode != "plain":
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(sys.argv[3], sys.argv[4])
    if mode == "mutual":
        context.load_verify_locations(sys.argv[3])
        context.verify_mode = ssl.CERT_REQUIRED
    options = {"hostname": "receiver.example.org"}
    if mode == "token":
        options.update(tls_context=context, require_starttls=True, auth_required=True)
        options.update(auth_exclude_mechanism=["LOGIN", "PLAIN"])
    if mode == "starttls":
        options.update(tls_context=context, require_starttls=True, authenticator=authenticator, auth_required=True)
    server = await asyncio.get_running_loop().create_server(
        lambda: SMTP(handler, **options), "127.0.0.1", 0, ssl=context if mode in ("tls", "mutual") else None
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with the test: its standard input is closed then, however the test ends.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())

"""Reads mails with Python's email package (policy default) and prints what it finds as JSON, a line each."""

import email
import email.policy
import json
import sys

for path in sys.argv[1:]:
    with open(path, "rb") as file:
        raw = file.read()
    message = email.message_from_bytes(raw, policy=email.policy.default)
    defects = [repr(defect) for defect in message.defects]
    headers = []
    for name, value in message.items():
        headers.append([name, str(value)])
        defects += ["%s: %r" % (name, defect) for defect in getattr(value, "defects", [])]
    parts = []
    for part in message.walk():
        defects += [repr(defect) for defect in part.defects]
        if not part.is_multipart():
            parts.append([part.get_content_type(), part.get_content()])
    body = raw.replace(b"\r\n", b"\n").split(b"\n\n", 1)[1].split(b"\n")
    print(json.dumps({
        "type": message.get_content_type(),
        "headers": headers,
        "defects": defects,
        "parts": parts,
        "longest_line": max(len(line) for line in body),
        "ascii": raw.isascii(),
        "bare_newlines": raw.replace(b"\r\n", b"").count(b"\n") + raw.replace(b"\r\n", b"").count(b"\r"),
    }))

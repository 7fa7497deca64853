"""Verifies the DKIM signatures of a mail with dkimpy: one line of JSON, for each signature its algorithm and whether it is good.

Arguments: MAIL RECORDS, where RECORDS is a JSON object of names and TXT records.
"""

import json
import re
import sys

import dkim

mail = open(sys.argv[1], "rb").read()
records = json.loads(open(sys.argv[2]).read())


def find(name, timeout=5):
    return records.get(name.decode().rstrip("."), "").encode()


verifier = dkim.DKIM(mail)
algorithms = re.findall(rb"^DKIM-Signature:.*?a=([a-z0-9-]+)", mail, re.M | re.S)
verdicts = []
for place, algorithm in enumerate(algorithms):
    try:
        good = verifier.verify(place, dnsfunc=find)
    except dkim.DKIMException as error:
        good = str(error)
    verdicts.append([algorithm.decode(), good])
print(json.dumps(verdicts))

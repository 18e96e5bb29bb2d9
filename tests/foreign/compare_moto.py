"""Tells the story of scenario.py to two servers with boto3, to moto's and to the sandbox, and compares what they answer: the
error codes, which members an answer has, and what states, engines and types are said to be.

    compare_moto.py <sandbox's endpoint>

Every difference must be matched by a line of moto.txt beside this file, which says why; every line there must match one.
Ends with 1 otherwise. moto's server runs in this process, on a free port of 127.0.0.1.
"""

import collections
import contextlib
import fnmatch
import functools
import logging
import os
import pathlib
import re
import sys
import time

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError
from moto.server import ThreadedMotoServer

import scenario
from all_boto3 import method

# Members whose values are compared, besides whether they are there.
TELLING = ("Status", "State", "Engine", "Type", "Code", "AutomaticFailover", "ClusterEnabled", "AvailabilityMode")

UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def places(value, at=""):
    """The members of an answer, with the values of the telling ones; lists are one place whatever they hold."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, f"{at}.{UUID.sub('ID', key)}")
    elif isinstance(value, list):
        for inner in value:
            yield from places(inner, f"{at}.#")
        if not value:
            yield f"{at}.#", None
    else:
        yield at, value if at.rsplit(".", 1)[-1].endswith(TELLING) else None


class Listener:
    """One server: what it was asked, in order, and what it said."""

    def __init__(self, endpoint):
        self.endpoint, self.said, self.polling = endpoint, {}, False
        self.counts = collections.Counter()
        self.client = functools.cache(self.new_client)

    def new_client(self, service):
        # Twelve digits, so that moto takes them for the account.
        return boto3.client(
            service, endpoint_url=self.endpoint, region_name="us-east-1", aws_access_key_id=scenario.ACCOUNT,
            aws_secret_access_key="sandbox", config=Config(retries={"total_max_attempts": 1}, read_timeout=10),
        )

    def do(self, service, operation, fails=None, **parameters):
        try:
            answer = getattr(self.client(service), method(operation))(**parameters)
            body = answer.pop("Body", None)
            if body is not None:
                body.read()
            answer.pop("ResponseMetadata", None)
            found = {"": "ok", **dict(places(answer))}
        except ClientError as error:
            answer, code = None, error.response["Error"]["Code"]
            # The code that moto's server has for an operation that it lacks.
            found = {"": "not in moto" if code in ("500", "NotImplemented", "501") and self.is_moto else code}
        except (BotoCoreError, ResponseParserError) as error:
            # moto's server answers with a page of HTML where it has no such operation and the client wants XML.
            answer, found = None, {"": "not in moto" if self.is_moto else type(error).__name__}
        if not self.polling:
            self.counts[service, operation] += 1
            self.said[f"{service}:{operation}#{self.counts[service, operation]}"] = found
        return answer

    @property
    def is_moto(self):
        return self.endpoint != sys.argv[1]

    def until(self, wanted, seen):
        self.polling = True
        for _ in range(300):
            if seen() in (wanted, None):
                break
            time.sleep(0.1)
        self.polling = False
        # The last look counts: what an answer looks like when all is done.
        seen()


def differences(sandbox, moto):
    lacking = {name.split("#")[0] for name, found in moto.items() if found[""] == "not in moto"}
    for name in sorted(lacking):
        yield f"{name} is not in moto"
    for name in sorted(sandbox.keys() | moto.keys()):
        operation = name.split("#")[0]
        if operation in lacking:
            continue
        ours, theirs = sandbox.get(name, {"": "not asked"}), moto.get(name, {"": "not asked"})
        if ours[""] != theirs[""]:
            yield f"{operation}: sandbox {ours['']}, moto {theirs['']}"
            continue
        for place in ours.keys() - theirs.keys():
            yield f"{operation}: {place} in the sandbox only"
        for place in theirs.keys() - ours.keys():
            yield f"{operation}: {place} in moto only"
        for place in ours.keys() & theirs.keys():
            if ours[place] != theirs[place]:
                yield f"{operation}: {place} sandbox {ours[place]}, moto {theirs[place]}"


def main():
    logging.disable(logging.CRITICAL)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    listeners = Listener(sys.argv[1]), Listener(f"http://127.0.0.1:{server.get_host_and_port()[1]}")
    # The server writes a trace for each operation that it lacks.
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stderr(nowhere):
        for listener in listeners:
            scenario.tell(listener.do, listener.until)
    server.stop()
    found = sorted(set(differences(*(listener.said for listener in listeners))))
    lines = pathlib.Path(__file__).with_name("moto.txt").read_text(encoding="utf-8").splitlines()
    known = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    used = set()
    unexplained = []
    for difference in found:
        matching = [pattern for pattern in known if fnmatch.fnmatchcase(difference, pattern)]
        used.update(matching)
        if not matching:
            unexplained.append(difference)
    for difference in unexplained:
        print(f"not explained: {difference}")
    for pattern in known:
        if pattern not in used:
            print(f"explains nothing any more: {pattern}")
    calls = len(listeners[0].said)
    print(f"{calls} calls told to both: {len(found)} differences, {len(unexplained)} of them not explained")
    sys.exit(1 if unexplained or set(known) - used else 0)


if __name__ == "__main__":
    main()

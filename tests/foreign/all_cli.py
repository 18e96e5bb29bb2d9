"""Tells the story of scenario.py with the aws CLI, one command after the other in one process: starting Python for each of two
hundred would take minutes. drive_cli.py runs the program itself. Ends with 1 at the first command that goes another way than
it must.
"""

import contextlib
import functools
import io
import json
import re
import sys
import tempfile
import time

from awscli.clidriver import create_clidriver

import scenario

COMMANDS = {"s3": "s3api"}


def words(operation):
    """CreateACL -> create-acl, as the CLI spells it."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", operation.replace("ACLs", "Acls"))
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1-\2", spaced).lower()


@functools.cache
def driver():
    return create_clidriver()


def run(*command):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = driver().main([*command, "--output", "json"])
        except SystemExit as usage:
            code = usage.code
    return code, out.getvalue(), err.getvalue()


def do(service, operation, fails=None, **parameters):
    body = parameters.pop("Body", None)
    command = [COMMANDS.get(service, service), words(operation)]
    if operation == "GetObject":
        # The one command here that wants a file's name, and takes no JSON beside it.
        command += [word for name, value in parameters.items() for word in (f"--{words(name)}", value)]
    else:
        command += ["--cli-input-json", json.dumps(parameters)]
    with tempfile.NamedTemporaryFile() as file:
        if body is not None:
            file.write(body)
            file.flush()
            command += ["--body", file.name]
        if operation == "GetObject":
            command.append(file.name)
        code, out, err = run(*command)
    if fails is None:
        if code != 0:
            raise SystemExit(f"aws {' '.join(command)}: {err}")
        return json.loads(out) if out.strip() else {}
    if code == 0 or f"({fails})" not in err:
        raise SystemExit(f"aws {' '.join(command)} was not refused with {fails}: {out}{err}")
    return None


def until(wanted, seen):
    for _ in range(200):
        state = seen()
        if state == wanted:
            return
        time.sleep(0.1)
    raise SystemExit(f"the state is {state}, not {wanted}")


if __name__ == "__main__":
    sys.argv = ["aws"]
    scenario.tell(do, until)
    scenario.seeded(do)
    print("every answer was parsed")

"""Tells the story of scenario.py with boto3, then what needs the tests' seed. Ends with 1 at the first call that goes another
way than it must. Endpoint, region and credentials come from the environment.
"""

import functools
import re
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

import scenario


@functools.cache
def client(service):
    return boto3.client(service, config=Config(retries={"total_max_attempts": 1}))


def method(operation):
    """CreateACL -> create_acl, as boto3 spells it."""
    spaced = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", operation.replace("ACLs", "Acls"))
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", spaced).lower()


def do(service, operation, fails=None, **parameters):
    try:
        answer = getattr(client(service), method(operation))(**parameters)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code != fails:
            raise SystemExit(f"{service} {operation} was refused with {error}, not {fails}") from error
        return None
    if fails:
        raise SystemExit(f"{service} {operation} was not refused with {fails}: {answer}")
    if "Body" in answer:
        answer["Body"] = answer["Body"].read()
    return answer


def until(wanted, seen):
    """Looks until a state is reached, at most a minute."""
    for _ in range(600):
        state = seen()
        if state == wanted:
            return
        time.sleep(0.1)
    raise SystemExit(f"the state is {state}, not {wanted}")


if __name__ == "__main__":
    scenario.tell(do, until)
    scenario.seeded(do)
    print("every answer was parsed")

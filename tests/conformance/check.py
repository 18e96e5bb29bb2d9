"""Checks what the sandbox answered against the service models of botocore.

    check.py [--mutate] <operations> <recording>...

`<operations>` has a line `service:Operation` for each operation of the sandbox, by signing name; each must have been
answered with success at least once. A recording is what `orchestrate sandbox --record` writes. With `--mutate` the answers
are broken in many ways instead, and every break must be found: this shows that the check can fail. Ends with 1 if anything
is wrong.
"""

import collections
import json
import pathlib
import sys

from answers import Exchange, findings
from mutations import MUTATIONS, broken


def main():
    words = sys.argv[1:]
    mutate = words[:1] == ["--mutate"]
    operations_file, *recordings = words[mutate:]
    with open(operations_file, encoding="utf-8") as file:
        operations = set(file.read().split())
    exchanges = []
    for path in recordings:
        with open(path, encoding="utf-8") as file:
            exchanges.extend(Exchange(json.loads(line)) for line in file)
    if not exchanges or not operations:
        raise SystemExit("nothing was recorded, or no operations are listed")
    sys.exit(show_that_it_can_fail(exchanges) if mutate else check(exchanges, operations))


def explained():
    """Findings that are as AWS does it and not as the model says, with their reasons in explained.txt."""
    lines = pathlib.Path(__file__).with_name("explained.txt").read_text().splitlines()
    return {line for line in lines if line.strip() and not line.startswith("#")}


def check(exchanges, operations):
    found = collections.Counter()
    for exchange in exchanges:
        for where, what in findings(exchange):
            found[f"{exchange.name}: {where}: {what}"] += 1
    known = explained()
    for line in known - set(found):
        found[f"explained.txt explains what is not found any more: {line}"] += 1
    for line in known:
        found.pop(line, None)
    answered = {e.name for e in exchanges if not e.failed}
    missing = sorted(operations - answered)
    for line, times in sorted(found.items()):
        print(f"{line} ({times} times)" if times > 1 else line)
    for name in missing:
        print(f"{name}: no recorded answer")
    errors = sum(e.failed for e in exchanges)
    codes = {(e.name, e.status) for e in exchanges if e.failed}
    print(
        f"{len(exchanges)} exchanges: {len(exchanges) - errors} answers of {len(answered & operations)} of {len(operations)} "
        f"operations, {errors} errors of {len(codes)} sorts; {len(found)} findings, {len(known)} more explained"
    )
    return 1 if found or missing else 0


def show_that_it_can_fail(exchanges):
    """Three good answers and three errors of each operation, broken in every way that fits them."""
    tried, missed = collections.Counter(), []
    used = collections.Counter()
    for exchange in exchanges:
        used[exchange.name, exchange.failed] += 1
        if used[exchange.name, exchange.failed] > 3 or any(findings(exchange)):
            continue
        for kind, what, mutant in broken(exchange):
            tried[kind] += 1
            if not any(findings(mutant)):
                missed.append(f"{exchange.name}: {kind}: {what} was not noticed")
    for line in missed:
        print(line)
    for kind in MUTATIONS:
        if not tried[kind]:
            missed.append(kind)
            print(f"{kind}: never tried")
    print(f"{sum(tried.values())} broken answers of {len(tried)} kinds; {len(missed)} not noticed")
    return 1 if missed else 0


if __name__ == "__main__":
    main()

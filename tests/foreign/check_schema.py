"""Checks YAML files against a JSON Schema with the jsonschema package, as an editor would with its own checker.

    check_schema.py <schema> <file>...

Prints one JSON object: for each file what is wrong with it, a sentence each. The schema itself is checked first.
"""

import json
import re
import sys

import jsonschema
import yaml


class Text(yaml.SafeLoader):
    """YAML 1.2, as playbooks are read: dates, `yes` and `no` are text."""


Text.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":bool"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
Text.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile("^(true|false)$"), list("tf")
)


def problems(validator, path):
    with open(path, encoding="utf-8") as file:
        value = yaml.load(file, Loader=Text)
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(value)]


def main():
    schema_path, *files = sys.argv[1:]
    with open(schema_path, encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    print(json.dumps({path: problems(validator, path) for path in files}))


main()

"""Ways to break a good answer, each of which the check must notice."""

import copy
import json
import xml.etree.ElementTree as ET

from answers import CBOR, JSON, QUERY, REST
from shapes import local

MUTATIONS = [
    "content-type", "request-id", "status", "truncated", "unknown member", "missing member", "wrong type", "wrong value", "null",
    "unknown element", "missing element", "wrong text", "twice", "root", "namespace", "code", "header",
]


def broken(exchange):
    """(kind, what, mutant) for each break that fits the exchange."""
    protocol = exchange.protocol
    has_body = bool(exchange.body)
    checked = has_body and not (protocol == REST and payload_is_raw(exchange))

    def mutant(**changes):
        other = copy.copy(exchange)
        for name, value in changes.items():
            setattr(other, name, value)
        return other

    def without(*names):
        return {k: v for k, v in exchange.headers.items() if k not in names}

    yield "request-id", "none", mutant(headers=without("x-amzn-requestid", "x-amz-request-id"))
    yield "status", "418", mutant(status=418 if exchange.failed else 299)
    if exchange.service == "s3" and not exchange.failed:
        yield "header", "x-amz-surprise", mutant(headers={**exchange.headers, "x-amz-surprise": "1"})
    if not checked:
        return
    yield "content-type", "text/html", mutant(headers={**exchange.headers, "content-type": "text/html"})
    yield "truncated", "half", mutant(body=exchange.body[: len(exchange.body) // 2])
    if protocol == JSON:
        document = json.loads(exchange.body)
        shape = None if exchange.failed else exchange.model.output_shape
        for kind, what, changed in (json_errors(document) if exchange.failed else json_values(document, shape)):
            yield kind, what, mutant(body=json.dumps(changed).encode())
    elif protocol != CBOR:
        root = ET.fromstring(exchange.body)
        for kind, what, changed in xml_errors(root) if exchange.failed else xml_values(root, exchange):
            yield kind, what, mutant(body=ET.tostring(changed))


def payload_is_raw(exchange):
    if exchange.failed or exchange.model.output_shape is None:
        return False
    shape = exchange.model.output_shape
    payload = shape.serialization.get("payload")
    return bool(payload) and shape.members[payload].type_name in ("blob", "string")


def json_errors(document):
    yield "code", "NoSuchThing", {**document, "__type": "NoSuchThing"}
    yield "unknown member", "Surprise", {**document, "Surprise": 1}
    yield "missing member", "message", {k: v for k, v in document.items() if k not in ("message", "Message")}


def paths(value, shape, path=()):
    """The places in a JSON value, each with its shape."""
    yield path, shape
    if shape.type_name == "structure":
        names = {m.serialization.get("name", k): m for k, m in shape.members.items()}
        for key, inner in value.items():
            yield from paths(inner, names[key], path + (key,))
    elif shape.type_name == "list":
        for at, inner in enumerate(value[:1]):
            yield from paths(inner, shape.member, path + (at,))
    elif shape.type_name == "map":
        for key in list(value)[:1]:
            yield from paths(value[key], shape.value, path + (key,))


def json_values(document, shape):
    if shape is None:
        return
    for path, at in paths(document, shape):
        def changed(new):
            if not path:
                return new
            whole = copy.deepcopy(document)
            place = whole
            for step in path[:-1]:
                place = place[step]
            place[path[-1]] = new
            return whole

        here = document
        for step in path:
            here = here[step]
        kind = at.type_name
        if kind == "structure":
            yield "unknown member", f"{path}.Surprise", changed({**here, "Surprise": 1})
            for key in at.required_members:
                yield "missing member", f"{path}.{key}", changed({k: v for k, v in here.items() if k != key})
        if path and isinstance(path[-1], str) and kind != "structure":
            yield "null", f"{path}", changed(None)
        yield "wrong type", f"{path}", changed({"string": 7, "blob": 7}.get(kind, "yesterday"))
        if at.metadata.get("enum"):
            yield "wrong value", f"{path}", changed("surprise")


def xml_errors(root):
    def changed(change):
        whole = copy.deepcopy(root)
        change(whole)
        return whole

    for element in root.iter():
        if local(element.tag) == "Code":
            def rename(whole):
                next(e for e in whole.iter() if local(e.tag) == "Code").text = "NoSuchThing"

            yield "code", "NoSuchThing", changed(rename)
    yield "root", "Surprise", changed(lambda whole: setattr(whole, "tag", "Surprise"))


def xml_values(root, exchange):
    everything = list(root.iter())
    yield "root", "Surprise", retagged(root, 0, lambda tag: tag.replace(local(tag), "Surprise"))
    yield "namespace", "none", retagged(root, 0, local)
    for at, element in enumerate(everything):
        def changed(change):
            whole = copy.deepcopy(root)
            change(list(whole.iter())[at])
            return whole

        yield "unknown element", f"in <{local(element.tag)}>", changed(lambda e: e.append(ET.Element("Surprise")))
        text = (element.text or "").strip()
        # The value of a tag is any text.
        logical = text in ("true", "false") and local(element.tag) != "Value"
        if text.isdigit() and numeric(element, everything, exchange) or logical:
            yield "wrong text", f"<{local(element.tag)}>", changed(lambda e: setattr(e, "text", "yesterday"))
    if exchange.protocol == QUERY:
        for child in range(len(root)):
            whole = copy.deepcopy(root)
            whole.remove(whole[child])
            yield "missing element", local(root[child].tag), whole
    scalars = [at for at, e in enumerate(everything) if not len(e) and parent_is_structure(e, everything)]
    for at in scalars[:3]:
        whole = copy.deepcopy(root)
        element = list(whole.iter())[at]
        parent = next((p for p in whole.iter() if element in list(p)), None)
        if parent is not None:
            parent.append(copy.deepcopy(element))
            yield "twice", local(element.tag), whole


def numeric(element, everything, exchange):
    """Members that are whole numbers in the model: those whose names say so. Texts of digits are not touched."""
    return local(element.tag) in ("Port", "TTL", "MaxKeys", "KeyCount", "Size", "NumCacheNodes", "ResourceRecordSetCount")


def parent_is_structure(element, everything):
    parent = next((p for p in everything if element in list(p)), None)
    if parent is None:
        return False
    return sum(local(e.tag) == local(element.tag) for e in parent) == 1 and local(element.tag) not in (
        "member", "RequestId", "Value", "TagSet", "Owner", "Key", "UserId", "UserGroupId",
    ) and len(parent) > 1


def retagged(root, at, change):
    whole = copy.deepcopy(root)
    element = list(whole.iter())[at]
    element.tag = change(element.tag)
    return whole

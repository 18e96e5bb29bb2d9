"""Holds decoded values against shapes of botocore's service models. Each finding is (where, what)."""

import base64
import binascii
import datetime
import re

INTEGERS = {"integer": 32, "long": 64}


def scalar_rules(shape, text):
    """What the model says of a string beyond its being one. Lengths and patterns are what a caller must keep to; AWS's own
    answers break the patterns now and then, so those are not asked of the sandbox either."""
    values = shape.metadata.get("enum")
    if values and text not in values:
        yield f"{text!r} is none of {shape.name}'s values"


def timestamp_text(text, form):
    """Why this text is no time of that form, or None."""
    try:
        if form == "iso8601":
            if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", text):
                return f"{text!r} is no ISO 8601 time in UTC"
            datetime.datetime.fromisoformat(text.split(".")[0].rstrip("Z"))
        elif form == "rfc822":
            datetime.datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT")
        else:
            float(text)
    except ValueError:
        return f"{text!r} is no time in the form {form}"
    return None


def scalar_text(shape, text, form):
    """A scalar written as text: in XML, or in a header."""
    kind = shape.type_name
    if kind == "boolean" and text not in ("true", "false"):
        yield f"{text!r} is neither true nor false"
    elif kind in INTEGERS:
        if not re.fullmatch(r"-?\d+", text) or not -(2 ** (INTEGERS[kind] - 1)) <= int(text) < 2 ** (INTEGERS[kind] - 1):
            yield f"{text!r} is no {kind}"
    elif kind in ("float", "double"):
        try:
            float(text)
        except ValueError:
            yield f"{text!r} is no {kind}"
    elif kind == "timestamp":
        wrong = timestamp_text(text, shape.serialization.get("timestampFormat", form))
        if wrong:
            yield wrong
    elif kind == "blob":
        try:
            base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError):
            yield f"{text[:20]!r} is no base64"
    elif kind == "string":
        yield from scalar_rules(shape, text)


class Time(float):
    """A time in CBOR, which says of a number that it is one."""


def value(shape, found, where, cbor=False):
    """A value as JSON or CBOR carries it."""
    kind = shape.type_name
    name = type(found).__name__
    wrong = [(where, f"{kind} expected, not {name}")]
    if kind == "structure":
        if not isinstance(found, dict):
            yield from wrong
            return
        known = {member.serialization.get("name", key): (key, member) for key, member in shape.members.items()}
        for key, inner in found.items():
            if key not in known:
                yield where, f"{key} is no member of {shape.name}"
            elif inner is None:
                yield f"{where}.{key}", "null: AWS leaves a member without a value out"
            else:
                yield from value(known[key][1], inner, f"{where}.{key}", cbor)
        for key in shape.required_members:
            if shape.members[key].serialization.get("name", key) not in found:
                yield where, f"{key}, which {shape.name} must have, is missing"
        if shape.is_tagged_union and len(found) != 1:
            yield where, f"{shape.name} must have exactly one member"
    elif kind == "list":
        if not isinstance(found, list):
            yield from wrong
            return
        for at, inner in enumerate(found):
            yield from value(shape.member, inner, f"{where}[{at}]", cbor)
    elif kind == "map":
        if not isinstance(found, dict):
            yield from wrong
            return
        for key, inner in found.items():
            for what in scalar_rules(shape.key, key):
                yield where, what
            yield from value(shape.value, inner, f"{where}[{key!r}]", cbor)
    elif kind == "string":
        if not isinstance(found, str):
            yield from wrong
            return
        for what in scalar_rules(shape, found):
            yield where, what
    elif kind == "boolean":
        if not isinstance(found, bool):
            yield from wrong
    elif kind in INTEGERS:
        if isinstance(found, bool) or not isinstance(found, int) or isinstance(found, Time):
            yield from wrong
        elif not -(2 ** (INTEGERS[kind] - 1)) <= found < 2 ** (INTEGERS[kind] - 1):
            yield where, f"{found} does not fit into a {kind}"
    elif kind in ("float", "double"):
        if isinstance(found, (bool, Time)) or not isinstance(found, (int, float)):
            yield from wrong
    elif kind == "timestamp":
        if cbor != isinstance(found, Time) or isinstance(found, bool) or not isinstance(found, (int, float)):
            yield from wrong
    elif kind == "blob":
        if cbor:
            if not isinstance(found, bytes):
                yield from wrong
        elif not isinstance(found, str):
            yield from wrong
        else:
            for what in scalar_text(shape, found, None):
                yield where, what


XSI = "{http://www.w3.org/2001/XMLSchema-instance}"


def local(tag):
    return tag.rsplit("}", 1)[-1]


def element(shape, found, where, skip=()):
    """A value as XML carries it. `skip` names elements that belong to the envelope."""
    kind = shape.type_name
    if kind == "structure":
        yield from structure(shape, found, where, skip)
    elif kind == "list":
        item = shape.member.serialization.get("name", "member")
        for at, inner in enumerate(found):
            if local(inner.tag) != item:
                yield f"{where}[{at}]", f"<{local(inner.tag)}> where the list has <{item}>"
            yield from element(shape.member, inner, f"{where}[{at}]")
    elif kind == "map":
        key_name = shape.key.serialization.get("name", "key")
        value_name = shape.value.serialization.get("name", "value")
        for at, entry in enumerate(found):
            inner = {local(e.tag): e for e in entry}
            if local(entry.tag) != "entry" or set(inner) != {key_name, value_name} or len(entry) != 2:
                yield f"{where}[{at}]", f"an entry has <{key_name}> and <{value_name}>"
                continue
            yield from element(shape.key, inner[key_name], f"{where}[{at}]")
            yield from element(shape.value, inner[value_name], f"{where}[{at}]")
    else:
        if len(found):
            yield where, f"{kind} expected, not <{local(found[0].tag)}>"
        for what in scalar_text(shape, found.text or "", "iso8601"):
            yield where, what


def structure(shape, found, where, skip):
    known, seen, attributes = {}, set(), {}
    for key, member in shape.members.items():
        if member.serialization.get("location"):
            continue
        name = member.serialization.get("name", key)
        if member.serialization.get("xmlAttribute"):
            attributes[name.rsplit(":", 1)[-1]] = key
            continue
        if member.type_name == "list" and member.serialization.get("flattened"):
            name = member.member.serialization.get("name", name) if "name" not in member.serialization else name
        known[name] = (key, member)
    for name, text in found.attrib.items():
        if local(name) not in attributes:
            yield where, f"{local(name)} is no attribute of {shape.name}"
            continue
        key = attributes[local(name)]
        seen.add(key)
        for what in scalar_text(shape.members[key], text, "iso8601"):
            yield f"{where}.{key}", what
    if (found.text or "").strip():
        yield where, f"text in {shape.name}"
    for inner in found:
        name = local(inner.tag)
        if name in skip:
            continue
        if name not in known:
            yield where, f"<{name}> is no member of {shape.name}"
            continue
        key, member = known[name]
        flat = member.serialization.get("flattened")
        if key in seen and not flat:
            yield where, f"<{name}> comes twice"
        seen.add(key)
        if flat and member.type_name == "list":
            yield from element(member.member, inner, f"{where}.{key}[]")
        else:
            yield from element(member, inner, f"{where}.{key}")
    for key in shape.required_members:
        if key not in seen and not shape.members[key].serialization.get("location"):
            yield where, f"{key}, which {shape.name} must have, is missing"


def cbor(data):
    """The value of a CBOR document, with times as Time. Raises ValueError for anything that is not one whole document."""
    at = 0

    def take(count):
        nonlocal at
        if at + count > len(data):
            raise ValueError("it ends too early")
        at += count
        return data[at - count : at]

    def argument(low):
        if low < 24:
            return low
        if low > 27:
            raise ValueError(f"length code {low}")
        return int.from_bytes(take(1 << (low - 24)), "big")

    def read():
        import struct

        first = take(1)[0]
        major, low = first >> 5, first & 31
        if major == 0:
            return argument(low)
        if major == 1:
            return -1 - argument(low)
        if major in (2, 3):
            raw = bytes(take(argument(low)))
            return raw if major == 2 else raw.decode()
        if major in (4, 5) and low == 31:
            items = []
            while data[at : at + 1] != b"\xff":
                items.append((read(), read()) if major == 5 else read())
            take(1)
            return dict(items) if major == 5 else items
        if major == 4:
            return [read() for _ in range(argument(low))]
        if major == 5:
            return dict((read(), read()) for _ in range(argument(low)))
        if major == 6:
            if argument(low) != 1:
                raise ValueError("a tag other than that of times")
            return Time(read())
        if low in (20, 21):
            return low == 21
        if low == 22:
            return None
        if low in (25, 26, 27):
            return struct.unpack({25: ">e", 26: ">f", 27: ">d"}[low], take(1 << (low - 24)))[0]
        raise ValueError(f"simple value {low}")

    whole = read()
    if at != len(data):
        raise ValueError("something follows it")
    return whole

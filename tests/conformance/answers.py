"""One recorded exchange held against botocore's model of its service: protocol, envelope, headers, status, body, error code.

The models are read from the installed botocore; nothing of them is copied here.
"""

import base64
import json
import pathlib
import xml.etree.ElementTree as ET
from functools import cache

import botocore.loaders
import botocore.model

from shapes import cbor, element, local, scalar_text, value

# Signing names, where botocore's folder has another name.
FOLDERS = {"servicequotas": "service-quotas", "monitoring": "cloudwatch"}
QUERY, JSON, REST, CBOR = "query", "json", "rest-xml", "smithy-rpc-v2-cbor"
CONTENT_TYPES = {QUERY: ["text/xml"], JSON: ["application/x-amz-json-1.1", "application/x-amz-json-1.0"],
                 REST: ["text/xml", "application/xml"], CBOR: ["application/cbor"]}
ROUTE53 = "https://route53.amazonaws.com/doc/2013-04-01/"
S3 = "http://s3.amazonaws.com/doc/2006-03-01/"
# What S3 calls the root of an answer is not in the model (S3 API reference, the response syntax of each operation).
S3_ROOTS = {
    "ListBuckets": "ListAllMyBucketsResult", "ListObjectsV2": "ListBucketResult", "ListObjectVersions": "ListVersionsResult",
    "GetBucketLocation": "LocationConstraint", "GetBucketVersioning": "VersioningConfiguration", "GetBucketAcl": "AccessControlPolicy",
    "DeleteObjects": "DeleteResult", "GetObjectTagging": "Tagging", "CreateMultipartUpload": "InitiateMultipartUploadResult",
    "CompleteMultipartUpload": "CompleteMultipartUploadResult", "CopyObject": "CopyObjectResult",
    "GetBucketEncryption": "ServerSideEncryptionConfiguration", "GetBucketOwnershipControls": "OwnershipControls",
    "GetObjectLockConfiguration": "ObjectLockConfiguration",
}
# Headers that belong to the protocols, not to an operation.
ENVELOPE_HEADERS = {"x-amz-request-id", "x-amz-id-2", "x-amzn-requestid", "x-amzn-errortype", "x-amzn-query-error", "x-amz-bucket-region"}


@cache
def service(name):
    found = botocore.loaders.Loader().load_service_model(FOLDERS.get(name, name), "service-2")
    return botocore.model.ServiceModel(found)


@cache
def common_errors():
    """(service, code) -> statuses, from common_errors.txt."""
    found = {}
    for line in pathlib.Path(__file__).with_name("common_errors.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line:
            services, code, *statuses = line.split()
            for name in services.split(","):
                found[name, code] = {int(s) for s in statuses}
    return found


class Exchange:
    """One line of a recording."""

    def __init__(self, line):
        self.service, self.operation = line["service"], line["operation"]
        self.method = line["request"]["method"]
        self.asked = line["request"]["headers"]
        self.status = line["response"]["status"]
        self.headers = {k.lower(): v for k, v in line["response"]["headers"].items()}
        self.body = base64.b64decode(line["response"]["body"])

    @property
    def name(self):
        return f"{self.service}:{self.operation}"

    @property
    def failed(self):
        return self.status >= 300

    @property
    def model(self):
        try:
            return service(self.service).operation_model(self.operation)
        except botocore.model.OperationNotFoundError:
            return None

    @property
    def protocol(self):
        """The one the request was in: it says so itself, or its service has only one."""
        if "smithy-protocol" in self.asked:
            return CBOR
        if "x-amz-target" in self.asked:
            return JSON
        return next(p for p in service(self.service).metadata["protocols"] if p in (QUERY, REST))


def findings(exchange):
    """Everything about this exchange that is not as the model says."""
    protocol = exchange.protocol
    if protocol not in service(exchange.service).metadata["protocols"]:
        yield "protocol", f"{exchange.service} does not speak {protocol}"
    ids = [exchange.headers.get(name, "") for name in ("x-amzn-requestid", "x-amz-request-id")]
    if not any(ids):
        yield "headers", "no request id"
    if protocol == CBOR and exchange.headers.get("smithy-protocol") != "rpc-v2-cbor":
        yield "headers", "smithy-protocol is not echoed"
    if exchange.failed:
        yield from error(exchange, protocol)
    elif exchange.model is None:
        yield "operation", f"{exchange.service} has no operation {exchange.operation}"
    else:
        yield from answer(exchange, protocol)


def content_type(exchange, protocol):
    found = exchange.headers.get("content-type", "").split(";")[0]
    if found not in CONTENT_TYPES[protocol]:
        yield "headers", f"content-type {found!r} is not that of {protocol}"


def parsed_xml(body):
    try:
        return ET.fromstring(body), None
    except ET.ParseError as problem:
        return None, f"no XML: {problem}"


def namespace(root, wanted):
    found = root.tag[1:].split("}")[0] if root.tag.startswith("{") else None
    if found != wanted:
        yield "body", f"namespace {found} instead of {wanted}"


def answer(exchange, protocol):
    model = exchange.model
    wanted = model.http.get("responseCode", 200)
    if exchange.status != wanted and not (exchange.status == 206 and "range" in exchange.asked):
        yield "status", f"{exchange.status} instead of {wanted}"
    if protocol == REST:
        yield from rest(exchange, model)
        return
    shape = model.output_shape
    if protocol == CBOR and shape is None:
        # Smithy RPC v2 CBOR, responses: no output, no content type.
        if "content-type" in exchange.headers:
            yield "headers", "a content-type, where the operation has no output"
    else:
        yield from content_type(exchange, protocol)
    if protocol == QUERY:
        root, problem = parsed_xml(exchange.body)
        if problem:
            yield "body", problem
            return
        yield from namespace(root, service(exchange.service).metadata["xmlNamespace"])
        if local(root.tag) != f"{exchange.operation}Response":
            yield "body", f"<{local(root.tag)}> instead of <{exchange.operation}Response>"
        inner = {local(e.tag): e for e in root}
        wrapper = shape.serialization.get("resultWrapper") if shape is not None else None
        if set(inner) != {"ResponseMetadata"} | ({wrapper} if wrapper else set()):
            yield "body", f"{sorted(inner)} in the envelope, where {wrapper} and ResponseMetadata belong"
            return
        metadata = inner["ResponseMetadata"]
        if [local(e.tag) for e in metadata.iter()] != ["ResponseMetadata", "RequestId"]:
            yield "body", "ResponseMetadata has something else than a RequestId"
        request_id = metadata.findtext("{*}RequestId")
        if not request_id or request_id != exchange.headers.get("x-amzn-requestid"):
            yield "body", "ResponseMetadata does not have the request id of the headers"
        if wrapper:
            yield from element(shape, inner[wrapper], wrapper)
    else:
        yield from document(exchange, protocol, shape)


def decoded(exchange, protocol):
    try:
        return (cbor(exchange.body) if protocol == CBOR else json.loads(exchange.body)), None
    except (ValueError, IndexError, TypeError) as problem:
        return None, f"no {protocol}: {problem}"


def document(exchange, protocol, shape):
    if shape is None:
        if exchange.body not in (b"", b"{}"):
            yield "body", "a body, where the operation has no output"
        return
    found, problem = decoded(exchange, protocol)
    if problem:
        yield "body", problem
    else:
        yield from value(shape, found, "output", protocol == CBOR)


def rest(exchange, model):
    """S3 and Route 53: members in headers, in the status and in the body."""
    shape = model.output_shape
    members = shape.members if shape is not None else {}
    prefixes = []
    for key, member in members.items():
        where = member.serialization.get("location")
        name = member.serialization.get("name", key).lower()
        if where == "header":
            text = exchange.headers.get(name)
            if text is None and key in shape.required_members:
                yield "headers", f"{name} is missing"
            elif text is not None:
                for what in scalar_text(member, text, "rfc822"):
                    yield f"headers.{name}", what
        elif where == "headers":
            prefixes.append(name)
    known = {m.serialization.get("name", k).lower() for k, m in members.items() if m.serialization.get("location") == "header"}
    for name in exchange.headers:
        if name.startswith("x-amz") and name not in known | ENVELOPE_HEADERS and not any(name.startswith(p) for p in prefixes):
            yield "headers", f"{name} is no header of {exchange.operation}"
    payload = shape.serialization.get("payload") if shape is not None else None
    in_body = [k for k, m in members.items() if not m.serialization.get("location")]
    if exchange.method == "HEAD" or not in_body:
        if exchange.body:
            yield "body", "a body, where the operation has none"
        return
    if payload and members[payload].type_name in ("blob", "string"):
        return
    yield from content_type(exchange, REST)
    root, problem = parsed_xml(exchange.body)
    if problem:
        yield "body", problem
        return
    if exchange.service == "s3":
        wanted, space = S3_ROOTS.get(exchange.operation), S3
    else:
        wanted, space = shape.serialization.get("name", shape.name), ROUTE53
    if local(root.tag) != wanted:
        yield "body", f"<{local(root.tag)}> instead of <{wanted}>"
    yield from namespace(root, space)
    if exchange.operation == "GetBucketLocation":
        # The one answer whose root is its only member.
        if len(root):
            yield "body", f"<{local(root[0].tag)}> in <LocationConstraint>"
        for what in scalar_text(members["LocationConstraint"], root.text or "", None) if root.text else ():
            yield "body", what
    else:
        yield from element(members[payload] if payload else shape, root, "output")


def error(exchange, protocol):
    """The code must be one that the model gives the operation, or a common one of the service."""
    code, shape_body = None, None
    if protocol in (JSON, CBOR):
        yield from content_type(exchange, protocol)
        found, problem = decoded(exchange, protocol)
        if problem or not isinstance(found, dict):
            yield "body", problem or "no structure"
            return
        code = str(found.get("__type", "")).split("#")[-1]
        header = exchange.headers.get("x-amzn-errortype", code).split("#")[-1].split(":")[0]
        if header != code:
            yield "headers", f"x-amzn-errortype is {header}, and the body says {code}"
        message = found.get("message", found.get("Message"))
        if not isinstance(message, str):
            yield "body", "no message"
        shape_body = {k: v for k, v in found.items() if k not in ("__type", "message", "Message")}
    elif exchange.method == "HEAD":
        if exchange.body:
            yield "body", "a body in an answer to HEAD"
        if exchange.status not in (301, 307, 400, 403, 404, 405, 412, 500, 503):
            yield "status", f"{exchange.status} is none that a HEAD of S3 fails with"
        return
    else:
        yield from content_type(exchange, REST if exchange.service == "s3" else QUERY)
        root, problem = parsed_xml(exchange.body)
        if problem:
            yield "body", problem
            return
        yield from error_envelope(exchange, root)
        code = next((e.text for e in root.iter() if local(e.tag) == "Code"), None)
        if code is None and local(root.tag) == "InvalidChangeBatch":
            code = "InvalidChangeBatch"
    if not code:
        yield "body", "no error code"
        return
    yield from known_error(exchange, code, shape_body, protocol)


def error_envelope(exchange, root):
    children = [local(e.tag) for e in root]
    if exchange.service == "s3":
        # Error responses of S3 have no namespace (S3 API reference, error responses).
        yield from namespace(root, None)
        if local(root.tag) != "Error" or "Message" not in children or "RequestId" not in children:
            yield "body", "an error of S3 is <Error> with Code, Message and RequestId"
        return
    wanted = ROUTE53 if exchange.service == "route53" else service(exchange.service).metadata["xmlNamespace"]
    yield from namespace(root, wanted)
    if local(root.tag) == "InvalidChangeBatch" and exchange.service == "route53":
        if sorted(children) not in (["Messages", "RequestId"], ["Message", "RequestId"]):
            yield "body", f"{children} in <InvalidChangeBatch>"
        return
    if local(root.tag) != "ErrorResponse" or children != ["Error", "RequestId"]:
        yield "body", f"<{local(root.tag)}> with {children}: an error is <ErrorResponse> with Error and RequestId"
        return
    inner = [local(e.tag) for e in root[0]]
    if inner != ["Type", "Code", "Message"]:
        yield "body", f"{inner} in <Error>"
    sort = root[0][0].text
    if sort != ("Receiver" if exchange.status >= 500 else "Sender"):
        yield "body", f"Type {sort} with status {exchange.status}"


def known_error(exchange, code, body, protocol):
    meta = service(exchange.service).metadata
    modelled = {}
    for shape in exchange.model.error_shapes if exchange.model is not None else ():
        about = shape.metadata.get("error", {})
        modelled[shape.name if protocol in (JSON, CBOR) else about.get("code", shape.name)] = (shape, about.get("httpStatusCode"))
        if "awsQueryCompatible" in meta:
            modelled[about.get("code", shape.name)] = (shape, about.get("httpStatusCode"))
    if code in modelled:
        shape, status = modelled[code]
        # JSON services answer 400 whatever the model of an error says, unless it names another status.
        allowed = {status} if status else ({400, 500} if exchange.service != "s3" else {400, 403, 404, 409})
        if protocol == JSON and status in (None, 404, 409):
            allowed |= {400}
        if exchange.status not in allowed:
            yield "status", f"{exchange.status} for {code}, not {sorted(allowed)}"
        for key in body or ():
            if key not in shape.members:
                yield "body", f"{key} is no member of {shape.name}"
    elif (exchange.service, code) in common_errors():
        allowed = common_errors()[exchange.service, code]
        if exchange.status not in allowed:
            yield "status", f"{exchange.status} for {code}, not {sorted(allowed)}"
        for key in body or ():
            yield "body", f"{key} in {code}, which has a message alone"
    else:
        yield "code", f"{code} is an error neither of {exchange.operation} nor common"
    if "awsQueryCompatible" in meta and exchange.headers.get("x-amzn-query-error", "").split(";")[0] == "":
        yield "headers", "no x-amzn-query-error, which a service that once spoke Query sends"

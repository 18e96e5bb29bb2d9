//! A journal as its documentation describes it, read without the program's own reader.

use serde_json::Value;

/// One whole line.
#[derive(Clone, Debug)]
pub(super) struct Line {
    /// How many bytes of the journal it ends after.
    pub(super) end: usize,
    /// What it says.
    pub(super) record: Value,
}

/// The whole lines, numbered without a gap. What follows the last line feed is torn, and nothing.
pub(super) fn lines(bytes: &[u8]) -> Result<Vec<Line>, String> {
    let mut end = 0;
    let mut lines = Vec::new();
    for line in bytes.split_inclusive(|byte| *byte == b'\n').filter(|line| line.ends_with(b"\n")) {
        end += line.len();
        let value: Value = serde_json::from_slice(line)
            .map_err(|error| format!("line {} of the journal: {error}", lines.len() + 1))?;
        if value["seq"].as_u64() != Some(lines.len() as u64 + 1) {
            return Err(format!("line {} of the journal has another number", lines.len() + 1));
        }
        lines.push(Line { end, record: value["record"].clone() });
    }
    Ok(lines)
}

impl Line {
    pub(super) fn kind(&self) -> &str {
        self.record["type"].as_str().unwrap_or_default()
    }

    pub(super) fn step(&self) -> Option<&str> {
        self.record["step"].as_str()
    }

    /// Whether it is an undo that says that it kept something on purpose: an export that counts.
    pub(super) fn kept(&self) -> bool {
        let did = self.record["did"].as_array().into_iter().flatten();
        self.kind() == "undone"
            // "put" is a point of a metric, which is what its undo is for.
            && did
                .filter_map(Value::as_str)
                .any(|words| words.starts_with("kept ") || words.starts_with("put 1 of metric "))
    }

    /// The rest it records, if it does.
    pub(super) fn rest(&self) -> Option<&str> {
        if self.kind() == "rested" { self.record["rest"].as_str() } else { None }
    }

    /// The names of what an intent touches.
    pub(super) fn resources(&self) -> impl Iterator<Item = &str> {
        let resources = self.record["resources"].as_array();
        resources.into_iter().flatten().filter_map(|resource| resource["name"].as_str())
    }

    /// Whether it names something: alone, or as the end of an ARN or a path.
    pub(super) fn names(&self, resource: &str) -> bool {
        !resource.is_empty() && strings(&self.record).any(|text| same(text, resource))
    }
}

fn same(text: &str, resource: &str) -> bool {
    let ends = |long: &str, short: &str| {
        let head = long.strip_suffix(short);
        head.is_some_and(|head| head.is_empty() || head.ends_with(['/', ':']))
    };
    // Names that AWS chooses are recorded by how they begin: `s3://bucket/orc-…*`.
    if let Some(begins) = text.strip_suffix('*') {
        return begins.ends_with(resource)
            || begins.strip_prefix("s3://").is_some_and(|b| resource.starts_with(b));
    }
    !text.is_empty() && (ends(text, resource) || ends(resource, text))
}

fn strings(value: &Value) -> Box<dyn Iterator<Item = &str> + '_> {
    match value {
        Value::String(text) => Box::new(std::iter::once(text.as_str())),
        Value::Array(values) => Box::new(values.iter().flat_map(strings)),
        Value::Object(fields) => Box::new(fields.values().flat_map(strings)),
        _ => Box::new(std::iter::empty()),
    }
}

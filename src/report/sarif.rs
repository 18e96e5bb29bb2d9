//! Diagnostics as SARIF 2.1.0, which code hosts and editors show at the lines they are about.
//!
//! The few objects needed, by the OASIS standard of that version; its sections are in brackets. The crate for all of
//! them, serde-sarif, generates its types from the schema when it is built: schemafy, strum and typed-builder for these.

use std::fmt::Write as _;

use serde::Serialize;

use crate::playbook::{Code, Diagnostics, Entry, Severity};

/// A whole SARIF log file (3.13).
#[derive(Debug, Serialize)]
pub struct Log {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Run {
    tool: Tool,
    /// What was called, and what could not be read at all.
    invocations: [Invocation; 1],
    /// Every file that was looked at, also those without a problem.
    artifacts: Vec<Artifact>,
    results: Vec<Finding>,
    /// Columns count characters, not UTF-16 units (3.14.17).
    column_kind: &'static str,
}

#[derive(Debug, Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Rule>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Rule {
    id: &'static str,
    name: &'static str,
    short_description: Message,
    default_configuration: Configuration,
}

#[derive(Debug, Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Debug, Serialize)]
struct Message {
    text: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Invocation {
    execution_successful: bool,
    exit_code: u8,
    tool_execution_notifications: Vec<Notification>,
}

#[derive(Debug, Serialize)]
struct Notification {
    level: &'static str,
    message: Message,
    locations: [Location; 1],
}

#[derive(Debug, Serialize)]
struct Artifact {
    location: Uri,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
struct Uri {
    uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Finding {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: Message,
    locations: [Location; 1],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    related_locations: Vec<Location>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fixes: Vec<Fix>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Uri,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

/// Lines and columns from 1; the end column is the one after the last (3.30.8).
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: usize,
    start_column: usize,
    end_line: usize,
    end_column: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Fix {
    description: Message,
    artifact_changes: [Edits; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Edits {
    artifact_location: Uri,
    replacements: [Replacement; 1],
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Replacement {
    deleted_region: Region,
    inserted_content: Message,
}

impl Log {
    /// A log without files yet.
    #[must_use]
    pub fn new() -> Self {
        let rules = Code::ALL.iter().map(|code| Rule {
            id: code.as_str(),
            name: code.name(),
            short_description: text(code.meaning()),
            default_configuration: Configuration { level: level(code.severity()) },
        });
        let driver = Driver {
            name: "orchestrate",
            semantic_version: env!("CARGO_PKG_VERSION"),
            rules: rules.collect(),
        };
        let invocation = Invocation {
            execution_successful: true,
            exit_code: 0,
            tool_execution_notifications: Vec::new(),
        };
        let run = Run {
            tool: Tool { driver },
            invocations: [invocation],
            artifacts: Vec::new(),
            results: Vec::new(),
            column_kind: "unicodeCodePoints",
        };
        Self {
            schema: "https://json.schemastore.org/sarif-2.1.0.json",
            version: "2.1.0",
            runs: [run],
        }
    }

    /// Adds a file that was read, with all that is wrong with it.
    pub fn file(&mut self, name: &str, problems: &Diagnostics) {
        self.artifact(name);
        self.runs[0].results.extend(problems.entries().into_iter().map(finding));
    }

    /// Adds a file that could not be read. The tool did not do all it was asked for then.
    pub fn unread(&mut self, name: &str, why: &str) {
        self.artifact(name);
        let place = Physical { artifact_location: uri(name), region: None };
        let [run] = &mut self.runs;
        let [invocation] = &mut run.invocations;
        invocation.execution_successful = false;
        invocation.tool_execution_notifications.push(Notification {
            level: "error",
            message: text(why),
            locations: [Location { physical_location: place, message: None }],
        });
    }

    /// Says how the process ends.
    pub fn exit(&mut self, code: u8) {
        self.runs[0].invocations[0].exit_code = code;
    }

    fn artifact(&mut self, name: &str) {
        self.runs[0].artifacts.push(Artifact { location: uri(name) });
    }
}

impl Default for Log {
    fn default() -> Self {
        Self::new()
    }
}

fn finding(entry: Entry) -> Finding {
    let region = Region {
        start_line: entry.line,
        start_column: entry.column,
        end_line: entry.end_line,
        end_column: entry.end_column,
    };
    let file = uri(&entry.file);
    let at = |region| Physical { artifact_location: file.clone(), region: Some(region) };
    let related = entry.related.into_iter().map(|place| Location {
        physical_location: at(Region {
            start_line: place.line,
            start_column: place.column,
            end_line: place.end_line,
            end_column: place.end_column,
        }),
        message: Some(text(&place.message)),
    });
    let fixes = entry.suggestion.map(|word| Fix {
        description: text(&format!("write `{word}`")),
        artifact_changes: [Edits {
            artifact_location: file.clone(),
            replacements: [Replacement { deleted_region: region, inserted_content: text(&word) }],
        }],
    });
    let message = match &entry.help {
        Some(help) => format!("{}. To mend: {help}", entry.message),
        None => entry.message,
    };
    Finding {
        rule_id: entry.code.as_str(),
        rule_index: Code::ALL.iter().position(|code| *code == entry.code).unwrap_or_default(),
        level: level(entry.severity),
        message: text(&message),
        locations: [Location { physical_location: at(region), message: None }],
        related_locations: related.collect(),
        fixes: fixes.into_iter().collect(),
    }
}

fn text(text: &str) -> Message {
    Message { text: text.to_owned() }
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    }
}

/// A path as a URI reference: what may not stand in one is written as `%XX` (RFC 3986, 2.1). The first segment of a
/// relative one has no colon, or it would read as a scheme.
fn uri(path: &str) -> Uri {
    let mut uri = String::new();
    for byte in path.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => {
                let _ = write!(uri, "%{byte:02X}");
            }
        }
    }
    Uri { uri }
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn a_path_becomes_a_uri_without_spaces_or_colons() {
        assert_eq!(uri("a b/c:é.yaml").uri, "a%20b/c%3A%C3%A9.yaml");
        assert_eq!(uri("<stdin>").uri, "%3Cstdin%3E");
    }
}

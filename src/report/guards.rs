//! Guards in words.

use serde_json::Value;

/// What a guard watches, and what it does.
#[must_use]
pub fn guard_words(guard: &Value) -> String {
    let text = |key: &str| guard[key].as_str();
    let watched = match text("alarm") {
        Some(alarm) => format!("alarm \"{alarm}\""),
        None => {
            let dimensions = guard["dimensions"].as_object();
            let of: Vec<String> = dimensions
                .into_iter()
                .flatten()
                .map(|(name, value)| format!("{name} {}", value.as_str().unwrap_or("…")))
                .collect();
            let of = if of.is_empty() { String::new() } else { format!(" of {}", of.join(", ")) };
            let limit =
                |key: &str, word: &str| guard[key].as_f64().map(|value| format!("{word} {value}"));
            let limits: Vec<String> = [limit("at_least", "at least"), limit("at_most", "at most")]
                .into_iter()
                .flatten()
                .collect();
            format!("{}{of}, {}", text("metric").unwrap_or("…"), limits.join(" and "))
        }
    };
    let act = match text("on_breach") {
        Some("rollback") => "rolls the run back",
        _ => "pauses the run",
    };
    let unknown = match text("no_data") {
        Some("breach") => "so does no data",
        _ => "no data is warned of",
    };
    format!("{}: {watched}; a breach {act}, {unknown}", text("id").unwrap_or("guard"))
}

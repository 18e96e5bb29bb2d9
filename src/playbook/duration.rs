use std::time::Duration;

use jiff::fmt::friendly::SpanParser;
use jiff::{SpanRelativeTo, Unit};

/// Reads `3h`, `90m`, `1d 12h`, `500ms`; a day is 24 hours. An error says what is wrong, in words that
/// follow "`text` is not a duration: ".
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    if text.trim().chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err("the unit is missing; write `90s`, `15m` or `3h`".to_owned());
    }
    let span = SpanParser::new()
        .parse_span(text.trim())
        .map_err(|_| "write it like `90s`, `15m`, `3h`, `1h 30m` or `2d`".to_owned())?;
    if span.get_years() != 0 || span.get_months() != 0 || span.get_weeks() != 0 {
        return Err("years, months and weeks are not used here; write days".to_owned());
    }
    if span.is_negative() {
        return Err("it must not be negative".to_owned());
    }
    span.to_duration(SpanRelativeTo::days_are_24_hours())
        .and_then(|duration| duration.round(Unit::Nanosecond))
        .ok()
        .and_then(|duration| Duration::try_from(duration).ok())
        .ok_or_else(|| "it is too long".to_owned())
}

/// A duration in whole seconds, at least one: what a timeout is.
pub(crate) fn parse_timeout(text: &str) -> Result<u64, String> {
    let duration = parse_duration(text)?;
    if duration.subsec_nanos() != 0 || duration.as_secs() == 0 {
        return Err("a timeout is whole seconds, at least `1s`".to_owned());
    }
    if duration > Duration::from_secs(366 * 24 * 3600) {
        return Err("a timeout is at most `366d`".to_owned());
    }
    Ok(duration.as_secs())
}

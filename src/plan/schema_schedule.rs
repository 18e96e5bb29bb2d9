//! The `schedule` of a playbook, for editors.

use serde_json::{Value, json};

/// The form alone: whether a cron expression fits a day, and a zone exists, the program checks.
pub(super) fn schedule() -> Value {
    let duration =
        |description: &str| json!({ "$ref": "#/$defs/duration", "description": description });
    json!({
        "type": "object",
        "additionalProperties": false,
        "oneOf": [{ "required": ["cron"] }, { "required": ["every"] }],
        "description": "When the playbook runs by itself: `orchestrate serve`, `orchestrate run --occurrence`.",
        "properties": {
            "cron": {
                "type": "string",
                "description": "Minute, hour, day of the month, month, day of the week; times of the clock on the wall in `time_zone`.",
                "examples": ["15 2 * * *", "0 */6 * * 1-5"],
            },
            "every": duration("Instead of `cron`: whole multiples of this since the beginning of 1970, whatever the clock on the wall does."),
            "time_zone": {
                "type": "string",
                "description": "A name of IANA's database; UTC unless written.",
                "examples": ["Europe/Paris", "America/New_York"],
            },
            "nonexistent": {
                "enum": ["skip", "move"],
                "default": "skip",
                "description": "What becomes of a time that the clock jumps over: left out, or moved to the first instant after the jump. One that comes twice fires once.",
            },
            "jitter": duration("Up to so much later each occurrence begins: the same for one occurrence everywhere."),
            "grace": duration("How late an occurrence may begin and still count as in time; 5m unless written. Later it has been missed."),
            "blackout": {
                "type": "array",
                "description": "Windows in which nothing begins.",
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["from", "to"],
                    "properties": {
                        "from": { "type": "string", "description": "A time of day, a date, or both.", "examples": ["22:00", "2026-12-24"] },
                        "to": { "type": "string", "description": "Likewise; a time of day is not part of the window, a date is.", "examples": ["06:00", "2026-12-26"] },
                        "days": {
                            "type": "array",
                            "items": { "enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] },
                            "description": "The weekdays on which it begins; every day unless written.",
                        },
                    },
                },
            },
            "catch_up": {
                "description": "What becomes of occurrences that were missed: left out, the newest of them run, or all of them; of the last `window`, and the newest `max`.",
                "default": "none",
                "oneOf": [
                    { "enum": ["none", "latest", "all"] },
                    {
                        "type": "object",
                        "additionalProperties": false,
                        "properties": {
                            "policy": {
                                "enum": ["latest", "all"],
                                "default": "all",
                                "description": "Which of them are run: the newest, or all.",
                            },
                            "window": duration("Only those that came due within this last span."),
                            "max": {
                                "type": "integer",
                                "minimum": 1,
                                "maximum": 1000,
                                "description": "Only so many of the newest.",
                            },
                        },
                    },
                ],
            },
            "overlap": {
                "enum": ["skip", "buffer_one", "cancel_other"],
                "default": "skip",
                "description": "What becomes of an occurrence that is due while another is not finished: left out, one of them waits, or the other is cancelled and undone first.",
            },
            "pause_on_failure": {
                "type": "boolean",
                "default": false,
                "description": "Whether nothing more is begun once an occurrence has failed, until `orchestrate schedule resume`.",
            },
        },
    })
}

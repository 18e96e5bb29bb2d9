//! The `schedule` of a playbook.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time, Weekday};

use super::diagnostic::{Code, Diagnostic, Diagnostics, Hint, closest, suggestion};
use super::duration::parse_duration;
use super::fields::Fields;
use super::source::{Located, Source, Span};
use super::tree::{Node, Value};
use crate::schedule::{Cadence, CatchUp, Faulty, Nonexistent, Overlap, Schedule, Window};

const KEYS: &[&str] = &[
    "cron",
    "every",
    "time_zone",
    "nonexistent",
    "jitter",
    "grace",
    "blackout",
    "catch_up",
    "overlap",
    "pause_on_failure",
];

/// In time is what begins within five minutes, unless declared otherwise.
const GRACE: Duration = Duration::from_secs(300);
/// A delay of more than a day is a mistake.
const LONGEST: Duration = Duration::from_secs(86_400);
/// Longer ago than a year nothing is caught up.
const WIDEST: Duration = Duration::from_secs(366 * 86_400);

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

pub(super) fn lower_schedule(
    node: &Node,
    source: &Source,
    problems: &mut Diagnostics,
) -> Option<Located<Schedule>> {
    let fields = Fields::of(node, "`schedule`".to_owned(), problems)?;
    fields.only(KEYS, problems);
    let mut lower = Lower { source, problems };
    let jitter = lower.duration(&fields, "jitter", Duration::ZERO, LONGEST);
    let grace = lower.duration(&fields, "grace", GRACE, WIDEST);
    let blackout = lower.blackout(&fields);
    let catch_up = lower.catch_up(&fields);
    let overlap = lower.word(
        &fields,
        "overlap",
        &[
            ("skip", Overlap::Skip),
            ("buffer_one", Overlap::BufferOne),
            ("cancel_other", Overlap::CancelOther),
        ],
    );
    let pause_on_failure = lower.flag(&fields, "pause_on_failure");
    let cadence = lower.cadence(&fields, jitter.unwrap_or_default())?;
    let schedule = Schedule {
        cadence,
        jitter: jitter?,
        grace: grace?,
        blackout: blackout?,
        catch_up: catch_up?,
        overlap: overlap?,
        pause_on_failure: pause_on_failure?,
    };
    Some(Located::new(schedule, node.span))
}

/// Each part is `None` once it has been reported.
struct Lower<'a> {
    source: &'a Source,
    problems: &'a mut Diagnostics,
}

impl Lower<'_> {
    fn report(&mut self, code: Code, span: Span, message: impl Into<String>, help: &str) {
        self.problems.push(Diagnostic::error(code, span, message).help(help));
    }

    fn cadence(&mut self, fields: &Fields<'_>, jitter: Duration) -> Option<Cadence> {
        let before = self.problems.items().len();
        let zone = fields.text("time_zone", self.problems);
        let nonexistent = self.word(
            fields,
            "nonexistent",
            &[("skip", Nonexistent::Skip), ("move", Nonexistent::Move)],
        );
        let mut zone_name = zone.as_ref().map_or("UTC", |zone| zone.value.as_str());
        if let Some(zone) = zone.as_ref()
            && Cadence::every(Duration::from_secs(1), zone_name).is_err()
        {
            self.no_such_zone(zone);
            // The rest is looked at all the same.
            zone_name = "UTC";
        }
        let made = match (fields.entry("cron"), fields.entry("every")) {
            (Some(_), Some((key, _))) => {
                let message = "a schedule has `cron` or `every`, not both";
                self.report(Code::BadSchedule, key.span, message, "remove one of them");
                return None;
            }
            (None, None) => {
                let help = "add `cron: \"15 2 * * *\"`, or `every: 6h`";
                let message = "`schedule` needs `cron` or `every`";
                self.report(Code::MissingKey, fields.span(), message, help);
                return None;
            }
            (Some(_), None) => {
                let text = fields.text("cron", self.problems)?;
                let nonexistent = nonexistent?;
                Cadence::cron(&text.value, zone_name, nonexistent).map_err(|why| (why, text.span))
            }
            (None, Some((_, node))) => {
                if let Some((key, _)) = fields.entry("nonexistent") {
                    let message = "every time of an interval exists";
                    self.report(Code::BadSchedule, key.span, message, "remove `nonexistent`");
                }
                let interval = self.take_duration(node, "every", LONGEST * 366)?;
                if jitter >= interval {
                    let (key, _) = fields.entry("jitter")?;
                    let message = "`jitter` is not shorter than the interval";
                    let help = "make it shorter than `every`: each occurrence begins before the next one is due";
                    self.report(Code::BadSchedule, key.span, message, help);
                }
                Cadence::every(interval, zone_name).map_err(|why| (why, node.span))
            }
        };
        let made = made.map_err(|(why, span)| self.faulty(&why, span)).ok();
        made.filter(|_| self.problems.items().len() == before)
    }

    fn faulty(&mut self, why: &Faulty, span: Span) {
        match why {
            Faulty::Cron(why) => self.report(
                Code::BadCron,
                span,
                format!("this cron expression cannot be read: {why}"),
                "write minute, hour, day of the month, month and day of the week: `15 2 * * *` is a quarter past two each day",
            ),
            Faulty::Never => self.report(
                Code::BadCron,
                span,
                "no day fits this cron expression",
                "correct day and month: the fields are minute, hour, day of the month, month and day of the week",
            ),
            // Looked at before.
            Faulty::Zone => {}
        }
    }

    fn no_such_zone(&mut self, zone: &Located<String>) {
        let known = jiff::tz::TimeZoneDatabase::bundled();
        let names: Vec<String> = known.available().map(|name| name.to_string()).collect();
        let message = format!("there is no time zone `{}`", zone.value);
        let problem = Diagnostic::error(Code::UnknownZone, zone.span, message);
        let help = match nearest(&zone.value, &names) {
            Some(name) => Hint::word(&zone.value, name),
            None => "write a name of IANA's database, such as `Europe/Paris`, `America/New_York` or `UTC`".into(),
        };
        self.problems.push(problem.hint(help));
    }

    fn duration(
        &mut self,
        fields: &Fields<'_>,
        key: &str,
        without: Duration,
        most: Duration,
    ) -> Option<Duration> {
        match fields.get(key) {
            Some(node) => self.take_duration(node, key, most),
            None => Some(without),
        }
    }

    fn take_duration(&mut self, node: &Node, key: &str, most: Duration) -> Option<Duration> {
        let problem = match &node.value {
            Value::Str(text) => match parse_duration(text) {
                Ok(found) if found.subsec_nanos() != 0 || found.is_zero() => {
                    "write whole seconds, at least `1s`".to_owned()
                }
                Ok(found) if found > most => {
                    format!("it is at most {} days here", most.as_secs() / 86_400)
                }
                Ok(found) => return Some(found),
                Err(problem) => problem,
            },
            _ => "write it like `90s`, `15m`, `3h`".to_owned(),
        };
        let written = self.source.slice(node.span).lines().next().unwrap_or_default();
        let message = format!("`{key}`: `{written}` is not a duration that can be used");
        self.problems.push(Diagnostic::error(Code::BadDuration, node.span, message).help(problem));
        None
    }

    fn flag(&mut self, fields: &Fields<'_>, key: &str) -> Option<bool> {
        let Some(node) = fields.get(key) else { return Some(false) };
        if let Value::Bool(flag) = node.value {
            return Some(flag);
        }
        let message = format!("`{key}` must be true or false, and this is {}", node.describe());
        self.report(Code::WrongType, node.span, message, "write `true` or `false`");
        None
    }

    /// One of some words; the first is meant where nothing is written.
    fn word<T: Copy>(&mut self, fields: &Fields<'_>, key: &str, words: &[(&str, T)]) -> Option<T> {
        if fields.get(key).is_none() {
            return words.first().map(|(_, value)| *value);
        }
        let written = fields.text(key, self.problems)?;
        let found = words.iter().find(|(word, _)| *word == written.value);
        if found.is_none() {
            self.no_such_word(&written, key, words.iter().map(|(word, _)| *word).collect());
        }
        found.map(|(_, value)| *value)
    }

    fn no_such_word(&mut self, written: &Located<String>, key: &str, words: Vec<&str>) {
        let list = words.join("`, `");
        let message = format!("`{key}` cannot be `{}`", written.value);
        let help =
            suggestion(&written.value, words, "words for it").or(format!("write one of `{list}`"));
        self.problems.push(Diagnostic::error(Code::InvalidValue, written.span, message).hint(help));
    }

    fn catch_up(&mut self, fields: &Fields<'_>) -> Option<CatchUp> {
        let Some(node) = fields.get("catch_up") else { return Some(CatchUp::None) };
        if !matches!(node.value, Value::Map(_)) {
            let all = CatchUp::All { window: None, most: None };
            let words = [CatchUp::None, CatchUp::Latest { window: None }, all];
            let index = self.word(fields, "catch_up", &[("none", 0), ("latest", 1), ("all", 2)])?;
            return words.into_iter().nth(index);
        }
        let inner = Fields::of(node, "`catch_up`".to_owned(), self.problems)?;
        inner.only(&["policy", "window", "max"], self.problems);
        let latest = self.word(&inner, "policy", &[("all", false), ("latest", true)])?;
        let window = match inner.get("window") {
            Some(node) => Some(self.take_duration(node, "window", WIDEST)?),
            None => None,
        };
        let most = match inner.entry("max") {
            None => None,
            Some((key, _)) if latest => {
                let message = "`latest` is one occurrence, and has no `max`";
                self.report(Code::BadSchedule, key.span, message, "remove `max`");
                return None;
            }
            Some((_, node)) => match node.value {
                Value::Int(most @ 1..=1000) => u32::try_from(most).ok(),
                _ => {
                    let message = "`max` is a whole number from 1 to 1000";
                    self.report(Code::InvalidValue, node.span, message, "write `max: 3`");
                    return None;
                }
            },
        };
        Some(if latest { CatchUp::Latest { window } } else { CatchUp::All { window, most } })
    }

    fn blackout(&mut self, fields: &Fields<'_>) -> Option<Vec<Window>> {
        let Some(node) = fields.get("blackout") else { return Some(Vec::new()) };
        let Value::Seq(items) = &node.value else {
            let message = format!("`blackout` must be a list, and this is {}", node.describe());
            let help = "write `- { from: \"22:00\", to: \"06:00\" }` below it";
            self.report(Code::WrongType, node.span, message, help);
            return None;
        };
        let windows: Vec<_> = items.iter().map(|item| self.window(item)).collect();
        windows.into_iter().collect()
    }

    fn window(&mut self, node: &Node) -> Option<Window> {
        let fields = Fields::of(node, "a blackout".to_owned(), self.problems)?;
        fields.only(&["from", "to", "days"], self.problems);
        let from = fields.required_text("from", self.problems);
        let to = fields.required_text("to", self.problems);
        let (from, to) = (from?, to?);
        let days = self.days(&fields)?;
        if let (Some(from), Some(to)) = (time(&from.value), time(&to.value)) {
            if from == to {
                let message = "this window has no length";
                let help = "for a whole day write dates: `from: 2026-12-24` and `to: 2026-12-24`";
                self.report(Code::BadBlackout, node.span, message, help);
                return None;
            }
            return Some(Window::Daily { from, to, days });
        }
        if let (Some(begin), Some(end)) = (moment(&from.value, false), moment(&to.value, true)) {
            if begin >= end {
                let message = "this window ends before it begins";
                self.report(Code::BadBlackout, to.span, message, "put `to` after `from`");
                return None;
            }
            if let Some((key, _)) = fields.entry("days") {
                let message = "a window with dates has no weekdays";
                self.report(Code::BadBlackout, key.span, message, "remove `days`");
                return None;
            }
            return Some(Window::Dated { from: begin, to: end });
        }
        let readable = |text: &str| time(text).is_some() || moment(text, false).is_some();
        let wrong = [&from, &to].into_iter().find(|text| !readable(&text.value));
        let (span, message) = match wrong {
            Some(text) => (text.span, format!("`{}` is no time and no date", text.value)),
            None => (node.span, "one end is a time of day, the other a date".to_owned()),
        };
        let help = "write times such as \"22:00\" for each day, or dates such as 2026-12-24 or 2026-12-24T18:00 for once";
        self.report(Code::BadBlackout, span, message, help);
        None
    }

    fn days(&mut self, fields: &Fields<'_>) -> Option<Vec<Weekday>> {
        let Some(node) = fields.get("days") else { return Some(Vec::new()) };
        let Value::Seq(items) = &node.value else {
            let message = format!("`days` must be a list, and this is {}", node.describe());
            self.report(Code::WrongType, node.span, message, "write `days: [mon, tue]`");
            return None;
        };
        let mut days = Vec::new();
        for item in items {
            let Value::Str(text) = &item.value else {
                let message = format!("a weekday is text, and this is {}", item.describe());
                self.report(Code::WrongType, item.span, message, "write `mon`, `tue`, …");
                return None;
            };
            match DAYS.iter().find(|(name, _)| *name == text.as_str()) {
                Some((_, day)) => days.push(*day),
                None => {
                    let written = Located::new(text.clone(), item.span);
                    self.no_such_word(&written, "days", DAYS.map(|(name, _)| name).to_vec());
                    return None;
                }
            }
        }
        Some(days)
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let number = |text: &str| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        if digits { text.parse::<i8>().ok() } else { None }
    };
    Time::new(number(hour)?, number(minute)?, 0, 0).ok()
}

/// A date, which as an end is all of its day; or a date with a time.
fn moment(text: &str, end: bool) -> Option<DateTime> {
    if text.contains('T') {
        let zoned = text.ends_with('Z') || text.contains(['+', '[']);
        return text.parse::<DateTime>().ok().filter(|_| !zoned);
    }
    let date = text.parse::<Date>().ok()?;
    let date = if end { date.tomorrow().ok()? } else { date };
    Some(date.to_datetime(Time::midnight()))
}

/// The zone of the same city, or that is written almost like it.
fn nearest<'a>(name: &str, names: &'a [String]) -> Option<&'a str> {
    let city = |name: &str| name.rsplit('/').next().unwrap_or_default().to_lowercase();
    let wanted = city(name);
    let same = names.iter().find(|known| city(known) == wanted).map(String::as_str);
    same.or_else(|| closest(name, names.iter().map(String::as_str)))
}

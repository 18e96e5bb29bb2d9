//! One place the applications read: as the playbook writes it, and as `prepare` recorded it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::fields::Fields;
use super::form::{Form, Goal, Named};
use super::parameter::Parameter;
use super::record::Record;
use super::secret::Secret;
use crate::engine::{Class, Cx, Failure};
use crate::steps::{Env, creation};

/// One place the applications read: exactly one of `ssm_parameter`, `secret` and `route53_record`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Target {
    /// The name of an SSM parameter: `/app/redis/endpoint`.
    pub(super) ssm_parameter: Option<String>,
    /// The name or ARN of a Secrets Manager secret.
    pub(super) secret: Option<String>,
    /// The name of a Route 53 CNAME record: `redis.internal.example.com`. Needs `zone`.
    pub(super) route53_record: Option<String>,
    /// The id of the record's hosted zone: `Z0123456789`.
    pub(super) zone: Option<String>,
    /// Seconds resolvers may keep the new record. As it is now unless given.
    #[schemars(range(min = 0, max = 2_147_483_647))]
    pub(super) ttl: Option<i64>,
    /// How the value holds the endpoint: `host_port` unless given. A record always holds the host.
    pub(super) format: Option<Format>,
    /// For `format: json`: which fields.
    pub(super) fields: Option<Fields>,
}

/// How a value holds the endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// `cache.example.com`
    Host,
    /// `cache.example.com:6379`
    HostPort,
    /// `rediss://user:password@cache.example.com:6379/0`: all but host and port is kept.
    Url,
    /// A JSON document: the fields named by `fields` are replaced, all else is kept.
    Json,
}

/// A target after its shape was checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    Parameter(&'a str),
    Secret(&'a str),
    Record { name: &'a str, zone: &'a str },
}

impl std::fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Parameter(name) => write!(f, "SSM parameter \"{name}\""),
            Self::Secret(name) => write!(f, "secret \"{name}\""),
            Self::Record { name, .. } => write!(f, "Route 53 record \"{name}\""),
        }
    }
}

impl Target {
    /// Where it is and how the value holds the endpoint. An error is a clause on its own.
    pub(super) fn checked(&self, tls: Option<bool>) -> Result<(Place<'_>, Form), String> {
        let place = match (&self.ssm_parameter, &self.secret, &self.route53_record) {
            (Some(name), None, None) => Place::Parameter(name),
            (None, Some(name), None) => Place::Secret(name),
            (None, None, Some(name)) => {
                let zone = self.zone.as_deref().ok_or("`route53_record` needs `zone`")?;
                Place::Record { name, zone: zone.rsplit('/').next().unwrap_or(zone) }
            }
            _ => {
                return Err(
                    "a target is exactly one of `ssm_parameter`, `secret` and `route53_record`"
                        .to_owned(),
                );
            }
        };
        let is_record = matches!(place, Place::Record { .. });
        if !is_record && (self.zone.is_some() || self.ttl.is_some()) {
            return Err(format!("{place}: `zone` and `ttl` belong to a `route53_record`"));
        }
        if self.ttl.is_some_and(|ttl| !(0..=2_147_483_647).contains(&ttl)) {
            return Err(format!("{place}: `ttl` is seconds, at most 2147483647"));
        }
        let format = self.format.unwrap_or(if is_record { Format::Host } else { Format::HostPort });
        if is_record && format != Format::Host {
            return Err(format!("{place}: a CNAME record holds a host and nothing else"));
        }
        let form = match (format, &self.fields) {
            (Format::Json, Some(fields)) => match fields.complaint(tls) {
                Some(complaint) => return Err(format!("{place}: {complaint}")),
                None => Form::Json(fields.clone()),
            },
            (Format::Json, None) => return Err(format!("{place}: `format: json` needs `fields`")),
            (_, Some(_)) => return Err(format!("{place}: `fields` belongs to `format: json`")),
            (Format::Host, None) => Form::Host,
            (Format::HostPort, None) => Form::HostPort,
            (Format::Url, None) => Form::Url,
        };
        Ok((place, form))
    }
}

/// Which way a target is switched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Forth,
    Back,
}

/// What a target shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Shows {
    Old,
    New,
    /// Neither; in words that hold no secret.
    Other(String),
}

impl Shows {
    pub(super) fn is_end_of(&self, way: Way) -> bool {
        matches!((self, way), (Self::New, Way::Forth) | (Self::Old, Way::Back))
    }
}

/// What `prepare` found in one target, and what will be there.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Recorded {
    /// The target in words.
    pub(super) what: String,
    /// How the value holds the endpoint.
    pub(super) form: Form,
    /// It showed the new endpoint before this step: nobody has to touch it.
    pub(super) already: bool,
    pub(super) kept: Kept,
}

/// The old value, or the way to it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kept {
    Parameter(Parameter),
    Secret(Secret),
    Record(Record),
}

/// What a target said when it was first looked at. Lives in memory only: `text` may hold a secret.
pub(super) struct Look {
    pub(super) kept: Kept,
    pub(super) text: String,
    pub(super) named: Named,
    /// Whether `named` may be shown and written down.
    pub(super) open: bool,
}

/// Looks at a target for the first time; `token` is the id of the version a secret would get.
pub(super) async fn look(
    env: &Env,
    cx: &Cx,
    target: &Target,
    (place, form): (Place<'_>, &Form),
    token: String,
) -> Result<Look, Failure> {
    let read = |text: &str| {
        form.read(text).map_err(|error| {
            Failure::fatal(format!("the value of {place} is not in the declared format"))
                .because(error)
                .mend("correct `format` and `fields` of this target, or the value")
        })
    };
    let (kept, text, named, open) = match place {
        Place::Parameter(name) => {
            let (kept, text) = Parameter::look(env, name).await?;
            let (named, open) = (read(&text)?, kept.is_open(form, &text));
            (Kept::Parameter(kept), text, named, open)
        }
        Place::Secret(name) => {
            let (kept, text) = Secret::look(env, cx, name, token).await?;
            let named = read(&text)?;
            (Kept::Secret(kept), text, named, false)
        }
        Place::Record { name, zone } => {
            let (kept, text) = Record::look(env, zone, name, target.ttl).await?;
            let named = read(&text)?;
            (Kept::Record(kept), text, named, true)
        }
    };
    Ok(Look { kept, text, named, open })
}

impl Recorded {
    /// Writes the old and the new value down, as far as they are no secret.
    pub(super) fn record(
        what: String,
        form: Form,
        look: Look,
        goal: Goal<'_>,
    ) -> Result<Self, Failure> {
        let Look { mut kept, text, open, .. } = look;
        let new = form.write(&text, goal).map_err(Failure::fatal)?;
        let mut already = new == text;
        match &mut kept {
            Kept::Parameter(parameter) if open => parameter.values = Some((text, new)),
            Kept::Record(record) => {
                record.new_value = new;
                already = record.is_there_already();
            }
            Kept::Parameter(_) | Kept::Secret(_) => {}
        }
        Ok(Self { what, form, already, kept })
    }

    pub(super) async fn shows(&self, env: &Env, goal: Goal<'_>) -> Result<Shows, Failure> {
        match &self.kept {
            Kept::Parameter(parameter) => parameter.shows(env, &self.form, goal).await,
            Kept::Secret(secret) => secret.shows(env).await,
            Kept::Record(record) => record.shows(env).await,
        }
        .map_err(|failure| failure.context(format!("could not look at {}", self.what)))
    }

    /// Makes the new value ready where that can be done without showing it to anybody.
    pub(super) async fn stage(&self, env: &Env, goal: Goal<'_>) -> Result<(), Failure> {
        match &self.kept {
            Kept::Secret(secret) => secret.stage(env, &self.form, goal).await.map_err(|failure| {
                failure.context(format!("failed to stage the new version of {}", self.what))
            }),
            Kept::Parameter(_) | Kept::Record(_) => Ok(()),
        }
    }

    /// Writes. Gives the version that AWS names.
    async fn write(
        &self,
        env: &Env,
        cx: &Cx,
        goal: Goal<'_>,
        way: Way,
    ) -> Result<Option<String>, Failure> {
        match &self.kept {
            Kept::Parameter(parameter) => parameter.write(env, &self.form, goal, way).await,
            Kept::Secret(secret) => secret.write(env, way).await,
            Kept::Record(record) => record.write(env, cx, way).await,
        }
    }

    /// Puts the old endpoint back where this run wrote the new one, or may have. `waited`: how long the undo has
    /// waited for reads to catch up.
    ///
    /// # Errors
    /// As `switch`.
    pub(super) async fn switch_back(
        &self,
        env: &Env,
        cx: &Cx,
        goal: Goal<'_>,
        waited: &creation::Waited,
    ) -> Result<Option<Written>, Failure> {
        if self.already {
            return Ok(None);
        }
        // Taken at its word, one read from before the write would leave the applications on an endpoint that goes.
        let old = |shows: &Shows| matches!(shows, Shows::Old);
        let shows = creation::unless_lagging(cx, waited, || self.shows(env, goal), old).await?;
        self.switch_from(shows, env, cx, goal, Way::Back, async || Ok(())).await
    }

    /// Switches one way or the other, and looks whether it holds. `None` if there was nothing to do.
    ///
    /// # Errors
    /// `Conflict` if the target shows neither the old nor the new value.
    pub(super) async fn switch(
        &self,
        env: &Env,
        cx: &Cx,
        goal: Goal<'_>,
        way: Way,
        before_write: impl AsyncFnOnce() -> Result<(), Failure>,
    ) -> Result<Option<Written>, Failure> {
        if self.already {
            return Ok(None);
        }
        let shows = self.shows(env, goal).await?;
        self.switch_from(shows, env, cx, goal, way, before_write).await
    }

    /// Switches a target that was seen to show `shows`.
    async fn switch_from(
        &self,
        shows: Shows,
        env: &Env,
        cx: &Cx,
        goal: Goal<'_>,
        way: Way,
        before_write: impl AsyncFnOnce() -> Result<(), Failure>,
    ) -> Result<Option<Written>, Failure> {
        match shows {
            Shows::Other(found) => return Err(self.changed_by_others(way, &found)),
            shows if shows.is_end_of(way) => {
                return self.confirm(env, cx, way).await.map(|()| None);
            }
            _ => {}
        }
        before_write().await?;
        let written = self.write(env, cx, goal, way).await;
        let version = match written {
            Ok(version) => version,
            // Time that runs out while a record is on its way to the servers is not a refusal.
            Err(failure) if !settles(&failure) || failure.class == Class::TimedOut => {
                return Err(self.not_switched(failure, way));
            }
            // A refusal may mean that somebody else was faster: then that is what has to be said.
            Err(failure) => match self.shows(env, goal).await {
                Ok(Shows::Other(found)) => {
                    return Err(self.changed_by_others(way, &found).because(failure.to_string()));
                }
                Ok(shows) if shows.is_end_of(way) => None,
                _ => return Err(self.not_switched(failure, way)),
            },
        };
        self.verify(env, cx, goal, way).await?;
        Ok(Some(Written { version }))
    }

    /// A record that shows the right value may still be on its way to Route 53's servers.
    async fn confirm(&self, env: &Env, cx: &Cx, way: Way) -> Result<(), Failure> {
        match (&self.kept, way) {
            (Kept::Record(record), Way::Forth) => record.write(env, cx, way).await.map(|_| ()),
            _ => Ok(()),
        }
    }

    async fn verify(&self, env: &Env, cx: &Cx, goal: Goal<'_>, way: Way) -> Result<(), Failure> {
        // Reads may lag behind writes for a moment.
        for _ in 0..5 {
            match self.shows(env, goal).await? {
                shows if shows.is_end_of(way) => return Ok(()),
                Shows::Other(found) => return Err(self.changed_by_others(way, &found)),
                _ => cx.sleep(std::time::Duration::from_secs(2)).await?,
            }
        }
        Err(Failure::new(
            Class::Ambiguous,
            format!("{} was written, but reading it back shows the value before", self.what),
        ))
    }

    fn not_switched(&self, failure: Failure, way: Way) -> Failure {
        match way {
            Way::Forth => failure.context(format!("failed to switch {}", self.what)),
            Way::Back => failure.context(format!("failed to put {} back", self.what)),
        }
    }

    fn changed_by_others(&self, way: Way, found: &str) -> Failure {
        let expected = match &self.kept {
            Kept::Parameter(Parameter { values: Some((old, new)), .. }) => match way {
                Way::Forth => format!("\"{old}\""),
                Way::Back => format!("\"{new}\""),
            },
            Kept::Parameter(parameter) => match way {
                Way::Forth => format!("version {}", parameter.version),
                Way::Back => "this run's own version".to_owned(),
            },
            Kept::Secret(secret) => match way {
                Way::Forth => format!("version {}", secret.old_version),
                Way::Back => format!("version {}", secret.new_version),
            },
            Kept::Record(record) => match way {
                Way::Forth => format!("\"{}\"", record.old_value),
                Way::Back => format!("\"{}\"", record.new_value),
            },
        };
        let since = match way {
            Way::Forth => "the plan",
            Way::Back => "the swap",
        };
        let mend = match way {
            Way::Forth => {
                "find out who changed it and which endpoint the applications are to read; it was not touched"
            }
            Way::Back => {
                "find out who changed it and which endpoint the applications are to read; it was not touched. Once it has its value from before or after the swap again, `orchestrate resume` goes on"
            }
        };
        Failure::new(
            Class::Conflict,
            format!(
                "{} was changed by somebody else since {since}: expected {expected}, found {found}",
                self.what
            ),
        )
        .mend(mend)
    }
}

/// A target was switched now.
pub(super) struct Written {
    pub(super) version: Option<String>,
}

/// Whether a failure says for good that nothing more will come of the attempt.
pub(super) fn settles(failure: &Failure) -> bool {
    !failure.class.may_pass()
        && !matches!(
            failure.class,
            Class::Interrupted | Class::Journal | Class::Expired | Class::Halted
        )
}

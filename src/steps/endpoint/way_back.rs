//! Before anything is switched: could it be put back? Asked by the step itself, and foreseen before a run.

use std::time::Duration;

use super::form::{Endpoint, same_host};
use super::target::{Kept, Look, Place, settles};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::steps::Env;

/// Looks at the old endpoint before it is called dead, and the pause between them.
const KNOCKS: u32 = 3;
const KNOCK_AGAIN: Duration = Duration::from_secs(2);

/// What is known of the way back.
#[derive(Default)]
pub(super) struct WayBack {
    /// The host the targets name, and the first target that named it.
    old: Option<(String, String)>,
    port: Option<u16>,
    gaps: Vec<(Class, String)>,
}

impl WayBack {
    /// Whether any target is to be switched at all.
    pub(super) fn is_needed(&self) -> bool {
        self.old.is_some()
    }

    /// Takes in what a target names. All targets must agree.
    pub(super) fn endpoint(
        &mut self,
        place: Place<'_>,
        host: &str,
        port: Option<u16>,
    ) -> Result<(), Failure> {
        if let Some((old, first)) = &self.old {
            let ports_differ = port.is_some() && self.port.is_some() && port != self.port;
            if !same_host(old, host) || ports_differ {
                return Err(Failure::new(
                    Class::Conflict,
                    format!("{first} and {place} name different endpoints; nothing was switched"),
                )
                .mend("find out which one is right, or swap them in separate steps"));
            }
        } else {
            self.old = Some((host.to_owned(), place.to_string()));
        }
        self.port = self.port.or(port);
        Ok(())
    }

    /// The endpoint the targets named. A port that no target names is taken to be the new one's.
    pub(super) fn from(&self, to: &Endpoint) -> Option<Endpoint> {
        let (host, _) = self.old.as_ref()?;
        let port = self.port.unwrap_or(to.port);
        Some(Endpoint { host: host.trim_end_matches('.').to_owned(), port })
    }

    /// Whether the old value could be written back.
    pub(super) async fn permission(
        &mut self,
        env: &Env,
        cx: &Cx,
        place: Place<'_>,
        kept: &Kept,
        text: &str,
    ) -> Result<(), Failure> {
        let tried = match kept {
            Kept::Parameter(parameter) => {
                if parameter.is_encrypted() {
                    cx.warn(format!(
                        "whether {place} may be encrypted anew cannot be tried without writing it"
                    ));
                }
                parameter.may_write(env, text).await
            }
            Kept::Record(record) => record.may_write(env).await,
            Kept::Secret(_) => {
                cx.warn(format!(
                    "the permission to move the labels of {place} back cannot be tried without moving \
                     them; the move forth needs the same one"
                ));
                Ok(())
            }
        };
        match tried {
            Ok(()) => Ok(()),
            Err(failure) if !settles(&failure) => Err(failure),
            Err(failure) => {
                self.gaps.push((failure.class, format!("{place} may not be written: {failure}")));
                Ok(())
            }
        }
    }

    /// Whether the old endpoint is alive.
    pub(super) async fn knock(
        &mut self,
        env: &Env,
        cx: &Cx,
        from: &Endpoint,
    ) -> Result<(), Failure> {
        for last in (0..KNOCKS).rev() {
            match env.data.answers(&from.host, from.port).await {
                Ok(()) => return Ok(()),
                Err(failure) if last == 0 => {
                    let gap = format!("the old endpoint {from} does not answer: {failure}");
                    self.gaps.push((Class::Fatal, gap));
                }
                Err(_) => cx.sleep(KNOCK_AGAIN).await?,
            }
        }
        Ok(())
    }

    /// A failure if something is missing, unless the playbook accepts that.
    pub(super) fn verdict(&self, cx: &Cx) -> Result<(), Failure> {
        let Some((_, first)) = self.gaps.first() else { return Ok(()) };
        if cx.accept_no_way_back {
            for (_, gap) in &self.gaps {
                cx.warn(format!(
                    "the way back is not proved, and the playbook accepts that: {gap}"
                ));
            }
            return Ok(());
        }
        let denied = self.gaps.iter().any(|(class, _)| *class == Class::Denied);
        let class = if denied { Class::Denied } else { Class::Fatal };
        let failure = Failure::new(class, format!("the way back is not proved: {first}"));
        let failure = self.gaps.iter().skip(1).fold(failure, |f, (_, gap)| f.because(gap.clone()));
        Err(failure.mend(
            "mend it and run again; nothing was switched. `accept_no_way_back: true` at the step swaps all the same",
        ))
    }
}

/// A target that names no host: a bare word in a secret may be the secret itself, and is neither shown nor dialled.
pub(super) fn no_host(place: Place<'_>) -> Failure {
    Failure::fatal(format!("the value of {place} does not name a host with a dot"))
        .mend("correct `format` and `fields` of this target, or give `from`")
}

/// What the step will say of its way back, as far as reading tells: all but the permissions. `to`: the new endpoint, or
/// one in its shape.
pub(super) async fn finding(
    env: &Env,
    cx: &Cx,
    from: Option<&Endpoint>,
    to: Option<&Endpoint>,
    seen: &[(Place<'_>, Look)],
) -> Option<Finding> {
    const CHECK: &str = "swap.way_back";
    let refused = |failure: Failure| {
        Finding::will_fail(CHECK, failure.to_string(), failure.mend.unwrap_or_default())
    };
    let mut way_back = WayBack::default();
    for (place, look) in seen {
        let named = &look.named;
        // Of one that names something else than `from`, another finding tells.
        if to.is_some_and(|to| named.is(to)) || from.is_some_and(|from| !named.is(from)) {
            continue;
        }
        if !look.open && from.is_none() && !named.looks_like_a_host() {
            return Some(refused(no_host(*place)));
        }
        if let Err(failure) = way_back.endpoint(*place, &named.host, named.port) {
            return Some(refused(failure));
        }
    }
    if !way_back.is_needed() {
        return None;
    }
    let Some(old) = from.cloned().or_else(|| way_back.from(to?)) else {
        let what = "no target tells the port of the old endpoint, and that of the new one is not known yet";
        return Some(
            Finding::cannot_know(CHECK, what)
                .mend("say it at the step, `from: <host>:<port>`, and it is tried now"),
        );
    };
    Some(match env.data.answers(&old.host, old.port).await {
        Ok(()) => Finding::ok(CHECK, format!("the old endpoint {old} answers from here")),
        Err(failure) if cx.accept_no_way_back => Finding::ok(
            CHECK,
            format!("the old endpoint {old} does not answer from here, and the playbook accepts that: {failure}"),
        )
        .mend("take `accept_no_way_back` off the step to have it refuse"),
        Err(failure) => Finding::will_fail(
            CHECK,
            format!(
                "the old endpoint {old} does not answer from here: {failure}. The step would refuse to switch, after all \
                 that comes before it"
            ),
            "run this where the source can be reached: in its VPC, or over VPN or peering. `accept_no_way_back: true` at \
             the step switches without that proof",
        ),
    })
}

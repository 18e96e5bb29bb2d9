//! One side of a comparison, as a playbook names it.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::plane::{Secret, Target};
use crate::engine::{Failure, Finding};
use crate::plan::Fault;
use crate::steps::Env;
use crate::steps::secret::{SecretRef, reveal};

/// A deployment of Redis or Valkey and how to enter it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Side {
    /// `host:port`: a cluster's configuration endpoint, or the primary endpoint of one that is not in cluster mode.
    pub(crate) endpoint: String,
    /// Connect with TLS; certificate and host name are checked.
    #[serde(default = "yes")]
    pub(crate) tls: bool,
    /// The user to log in as. Without one, `password` is that of the user `default`.
    pub(crate) user: Option<String>,
    /// Where the password is kept: `secretsmanager:<name or arn>`, `secretsmanager:<name or arn>#<json field>` or
    /// `ssm:<name>`. Never the password itself.
    pub(crate) password: Option<SecretRef>,
}

fn yes() -> bool {
    true
}

/// Splits `host:port`; an IPv6 address is in brackets.
pub(super) fn endpoint(text: &str) -> Result<(String, u16), Failure> {
    let wrong =
        || Failure::fatal(format!("\"{text}\" is no endpoint")).mend("write it as `host:port`");
    let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let host = bare.unwrap_or(host);
    if host.is_empty() || host.contains(char::is_whitespace) || host.contains('/') {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

impl Side {
    /// Fetches the password. The result holds it, so it is kept no longer than it takes to connect.
    pub(super) async fn target(&self, env: &Env) -> Result<Target, Failure> {
        let (host, port) = endpoint(&self.endpoint)?;
        let password = match &self.password {
            Some(secret) => Some(reveal(env, secret).await?),
            None => None,
        };
        Ok(Target { host, port, tls: self.tls, user: self.user.clone(), password })
    }
}

/// What is wrong with the side called `name` as it is written, as far as it is known.
pub(super) fn faults(args: &Value, name: &str) -> Vec<Fault> {
    let side = &args[name];
    let mut faults = Vec::new();
    if let Some(Err(failure)) = side["endpoint"].as_str().map(endpoint) {
        faults.push(Fault::from(failure).key(name).key("endpoint"));
    }
    if let Some(Err(error)) = side["password"].as_str().map(str::parse::<SecretRef>) {
        let fault = Fault::new(format!("the {name}'s password is no reference: {error}"));
        faults.push(fault.key(name).key("password").secret().mend(
            "keep the password in Secrets Manager or Parameter Store and name it here; one that stood in a file \
             should be changed",
        ));
    }
    faults
}

/// Read-only checks of the side called `name` in `args`, whose values may be missing or null. `at`: where it will be
/// reached and whether with TLS, if that is there already.
pub(super) async fn check(
    env: &Env,
    args: &Value,
    name: &str,
    at: Option<(&str, bool)>,
) -> Vec<Finding> {
    let side = &args[name];
    let mut findings = Vec::new();
    let mut reached = None;
    match side["endpoint"].as_str().or(at.map(|(endpoint, _)| endpoint)) {
        None => findings.push(Finding::ok(
            "compare.endpoint",
            format!("the {name} is made by an earlier step, and its endpoint is tried when the run gets there"),
        )),
        Some(text) => findings.push(match endpoint(text) {
            Err(failure) => Finding::will_fail(
                "compare.endpoint",
                failure.to_string(),
                format!("write the {name}'s endpoint as `host:port`"),
            ),
            Ok((host, port)) => match env.data.answers(&host, port).await {
                Ok(()) => {
                    reached = Some((host, port));
                    Finding::ok("compare.endpoint", format!("the {name} takes connections at {text}"))
                }
                Err(failure) => Finding::will_fail(
                    "compare.endpoint",
                    format!("the {name} does not answer: {failure}"),
                    failure.mend.unwrap_or_else(|| {
                        "run this where both deployments can be reached".to_owned()
                    }),
                ),
            },
        }),
    }
    let mut password = Ok(None);
    if let Some(text) = side["password"].as_str() {
        let (finding, held) = of_password(env, text, name).await;
        password = held.map(Some).ok_or(());
        findings.push(finding);
    }
    if let (Some((host, port)), Ok(password)) = (reached, password) {
        let target = Target {
            host,
            port,
            tls: match (side.get("tls"), at) {
                (Some(Value::Null), Some((_, tls))) => tls,
                (given, _) => given.and_then(Value::as_bool).unwrap_or(true),
            },
            user: side["user"].as_str().map(str::to_owned),
            password,
        };
        findings.extend(enters(env, &target, name).await);
    }
    findings
}

/// Whether a server lets the user in.
async fn enters(env: &Env, target: &Target, name: &str) -> Option<Finding> {
    const CHECK: &str = "compare.login";
    let who = target.user.as_deref().unwrap_or("default");
    Some(match env.data.open(target).await {
        Ok(_) => Finding::ok(CHECK, format!("the {name} lets user \"{who}\" in")),
        Err(failure) => Finding::will_fail(
            CHECK,
            format!("the {name} does not let user \"{who}\" in: {failure}"),
            failure.mend.unwrap_or_else(|| {
                format!("correct `user`, `password` and `tls` of the {name}, or the user there")
            }),
        ),
    })
}

/// What is to be said of a reference to a password, and the password if it can be read.
async fn of_password(env: &Env, text: &str, name: &str) -> (Finding, Option<Secret>) {
    let mut held = None;
    let finding = match text.parse::<SecretRef>() {
        Err(error) => Finding::will_fail(
            "compare.password",
            format!("the {name}'s password is no reference: {error}"),
            "keep the password in Secrets Manager or Parameter Store and name it here",
        ),
        Ok(secret) => match reveal(env, &secret).await {
            Ok(secret) => {
                held = Some(secret);
                Finding::ok("compare.password", format!("the {name}'s password can be read"))
            }
            Err(failure) if failure.class.may_pass() => Finding::cannot_know(
                "compare.password",
                format!("the {name}'s password: {failure}"),
            ),
            Err(failure) => Finding::will_fail(
                "compare.password",
                format!("the {name}'s password: {failure}"),
                "make the secret readable for the caller, or name another",
            ),
        },
    };
    (finding, held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_are_split_at_the_last_colon() {
        assert_eq!(endpoint("a.b:6379").unwrap(), ("a.b".to_owned(), 6379));
        assert_eq!(endpoint("[::1]:1").unwrap(), ("::1".to_owned(), 1));
        for wrong in ["a", "a:", ":1", "a:b", "redis://a:1", "a:70000"] {
            assert!(endpoint(wrong).is_err(), "{wrong}");
        }
    }
}

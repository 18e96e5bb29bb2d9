//! An identity policy: a document, and what it says about one action on one resource.

use serde_json::Value;

use super::condition::{Condition, Context, Met, texts};
use super::needs::Permission;
use super::pattern;

/// The text is no identity policy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an IAM identity policy: {0}")]
pub struct PolicyError(String);

/// An identity policy.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug, Clone, PartialEq)]
struct Statement {
    sid: Option<String>,
    allows: bool,
    actions: Listed,
    resources: Listed,
    conditions: Vec<Condition>,
}

/// What a statement names, or all but that.
#[derive(Debug, Clone, PartialEq)]
enum Listed {
    Those(Vec<String>),
    AllBut(Vec<String>),
}

/// What policies say together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Allowed,
    /// No statement allows it.
    Implicit,
    /// A statement denies it, and nothing can allow it any more.
    Explicit,
}

impl Policy {
    /// Reads a document.
    ///
    /// # Errors
    /// It is not JSON, or not of the form of an identity policy.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let document: Value =
            serde_json::from_str(text).map_err(|error| PolicyError(error.to_string()))?;
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return Err(PolicyError("there is no Statement".to_owned())),
        };
        let statements = statements.into_iter().enumerate().map(|(index, statement)| {
            Statement::read(statement)
                .map_err(|why| PolicyError(format!("statement {}: {why}", index + 1)))
        });
        Ok(Self { statements: statements.collect::<Result<_, _>>()? })
    }

    /// Whether it allows something, by itself.
    pub fn allows(&self, permission: &Permission) -> bool {
        let policies = std::slice::from_ref(self);
        let Permission { action, resource, context, .. } = permission;
        decide(policies, action, resource, context) == Decision::Allowed
    }

    /// What in it cannot be weighed here, in words: an Allow with such a part allows nothing, a Deny with it denies.
    pub fn unweighed(&self) -> Vec<String> {
        self.statements
            .iter()
            .enumerate()
            .flat_map(|(index, statement)| {
                let name = statement.sid.clone().unwrap_or_else(|| format!("{}", index + 1));
                statement.unweighed().map(move |what| format!("statement {name}: {what}"))
            })
            .collect()
    }

    /// The condition keys that its statements ask for.
    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|s| &s.conditions).map(|condition| condition.key.as_str())
    }
}

/// An explicit deny wins over any allow; without an allow it is denied (IAM user guide, policy evaluation logic).
pub(super) fn decide(
    policies: &[Policy],
    action: &str,
    resource: &str,
    context: &Context,
) -> Decision {
    let mut decision = Decision::Implicit;
    for statement in policies.iter().flat_map(|policy| &policy.statements) {
        if !statement.applies(action, resource, context) {
            continue;
        }
        if !statement.allows {
            return Decision::Explicit;
        }
        decision = Decision::Allowed;
    }
    decision
}

impl Statement {
    fn read(statement: &Value) -> Result<Self, String> {
        let has = |key: &str| statement.get(key).is_some();
        if has("Principal") || has("NotPrincipal") {
            return Err("an identity policy has no Principal".to_owned());
        }
        let allows = match statement["Effect"].as_str() {
            Some("Allow") => true,
            Some("Deny") => false,
            _ => return Err("Effect must be Allow or Deny".to_owned()),
        };
        let listed = |name: &str, negated: &str| match (statement.get(name), statement.get(negated))
        {
            (Some(those), None) => Ok(Listed::Those(texts(those))),
            (None, Some(those)) => Ok(Listed::AllBut(texts(those))),
            _ => Err(format!("exactly one of {name} and {negated} must be there")),
        };
        Ok(Self {
            sid: statement["Sid"].as_str().map(str::to_owned),
            allows,
            actions: listed("Action", "NotAction")?,
            resources: listed("Resource", "NotResource")?,
            conditions: Condition::read(statement.get("Condition")),
        })
    }

    fn applies(&self, action: &str, resource: &str, context: &Context) -> bool {
        let names = |listed: &Listed, test: &dyn Fn(&String) -> bool| match listed {
            Listed::Those(those) => those.iter().any(test),
            Listed::AllBut(those) => !those.iter().any(test),
        };
        // A policy variable in a resource is not filled in: it matches nothing in an Allow, everything in a Deny.
        let resource_is = |pattern: &String| match pattern.contains("${") {
            true => !self.allows,
            false => pattern::arn(pattern, resource),
        };
        names(&self.actions, &|pattern| pattern::wildcard(pattern, action, true))
            && names(&self.resources, &resource_is)
            && self.conditions.iter().all(|condition| match condition.met(context) {
                Met::Yes => true,
                Met::No => false,
                Met::Unknown => !self.allows,
            })
    }

    fn unweighed(&self) -> impl Iterator<Item = String> + '_ {
        let (Listed::Those(resources) | Listed::AllBut(resources)) = &self.resources;
        let variables = resources.iter().filter(|r| r.contains("${"));
        let variables = variables.map(|r| format!("the variable in the resource {r}"));
        let conditions = self.conditions.iter().filter(|condition| !condition.is_known());
        variables.chain(conditions.map(|c| format!("the condition {} of {}", c.operator, c.key)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SNAPSHOT: &str = "arn:aws:elasticache:us-east-1:123456789012:snapshot:one";

    #[track_caller]
    fn ask(statements: &Value, expected: Decision) {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let policy = Policy::parse(&text).unwrap();
        let found = decide(&[policy], "elasticache:CreateSnapshot", SNAPSHOT, &Context::default());
        assert_eq!(found, expected, "{statements}");
    }

    fn statement(effect: &str, action: &str, resource: &str) -> Value {
        json!({"Effect": effect, "Action": action, "Resource": resource})
    }

    #[test]
    fn an_allow_needs_action_and_resource() {
        ask(&statement("Allow", "elasticache:createsnapshot", SNAPSHOT), Decision::Allowed);
        ask(&statement("Allow", "elasticache:Create*", "*"), Decision::Allowed);
        ask(&statement("Allow", "elasticache:DeleteSnapshot", "*"), Decision::Implicit);
        ask(&statement("Allow", "*", "arn:aws:elasticache:*:*:cluster:*"), Decision::Implicit);
        ask(&json!([]), Decision::Implicit);
    }

    #[test]
    fn a_deny_wins_wherever_it_stands() {
        let (allow, deny) =
            (statement("Allow", "*", "*"), statement("Deny", "*:Create*", SNAPSHOT));
        ask(&json!([allow, deny]), Decision::Explicit);
        ask(&json!([deny, allow]), Decision::Explicit);
    }

    #[test]
    fn what_is_excepted_is_not_named() {
        ask(
            &json!({"Effect": "Allow", "NotAction": "elasticache:Delete*", "Resource": "*"}),
            Decision::Allowed,
        );
        ask(
            &json!({"Effect": "Allow", "NotAction": "elasticache:Create*", "Resource": "*"}),
            Decision::Implicit,
        );
        ask(
            &json!({"Effect": "Allow", "Action": "*", "NotResource": SNAPSHOT}),
            Decision::Implicit,
        );
    }

    #[test]
    fn what_cannot_be_weighed_allows_nothing_and_denies() {
        let ip = json!({"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}});
        let with = |effect: &str| json!({"Effect": effect, "Action": "*", "Resource": "*", "Condition": ip});
        ask(&with("Allow"), Decision::Implicit);
        ask(&json!([with("Deny"), statement("Allow", "*", "*")]), Decision::Explicit);
        let text = json!({"Statement": with("Allow")}).to_string();
        let policy = Policy::parse(&text).unwrap();
        assert_eq!(policy.unweighed(), ["statement 1: the condition IpAddress of aws:sourceip"]);
    }

    #[test]
    fn what_is_no_identity_policy_is_refused() {
        for wrong in [
            "{",
            "{}",
            r#"{"Statement": [{"Effect": "Allow", "Action": "*"}]}"#,
            r#"{"Statement": [{"Effect": "Maybe", "Action": "*", "Resource": "*"}]}"#,
            r#"{"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]}"#,
        ] {
            assert!(Policy::parse(wrong).is_err(), "{wrong}");
        }
    }
}

//! A bucket policy, weighed for one request.

use serde_json::{Value, json};

use super::condition::{Holds, Who, holds, role_of};

/// A bucket's policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Policy(Value);

/// What a policy comes to for one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// A statement allows it.
    Allows,
    /// A statement allows it under a condition that cannot be weighed.
    MayAllow,
    /// No statement allows it.
    Nothing,
}

impl Policy {
    /// Reads a policy; what is none says nothing.
    pub(super) fn read(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }

    fn statements(&self) -> Vec<&Value> {
        many(&self.0["Statement"])
    }

    /// Whether it allows the request, denials aside.
    pub(super) fn allows(&self, who: Who<'_>, action: &str, resource: &str) -> Says {
        match self.strongest("Allow", who, action, resource) {
            Some((_, Holds::Yes)) => Says::Allows,
            Some(_) => Says::MayAllow,
            None => Says::Nothing,
        }
    }

    /// The statement that denies the request, in words, and whether that is certain.
    pub(super) fn denies(
        &self,
        who: Who<'_>,
        action: &str,
        resource: &str,
    ) -> Option<(String, bool)> {
        let (statement, holds) = self.strongest("Deny", who, action, resource)?;
        Some((name(statement), holds == Holds::Yes))
    }

    fn strongest(
        &self,
        effect: &str,
        who: Who<'_>,
        action: &str,
        resource: &str,
    ) -> Option<(&Value, Holds)> {
        let weighed = self.statements().into_iter().filter(|s| s["Effect"] == effect).map(|s| {
            let applies = if listed(s, "Action", "NotAction", action)
                && listed(s, "Resource", "NotResource", resource)
            {
                principal(s, who)
            } else {
                Holds::No
            };
            (s, applies.min(holds(s, who)))
        });
        weighed.filter(|(_, holds)| *holds != Holds::No).max_by_key(|(_, holds)| *holds)
    }

    /// The whole policy with one more statement, as JSON: PutBucketPolicy replaces what was there.
    pub(super) fn with(&self, statement: Value) -> String {
        let mut statements: Vec<Value> = self.statements().into_iter().cloned().collect();
        statements.push(statement);
        let mut whole = self.0.as_object().cloned().unwrap_or_default();
        whole.entry("Version").or_insert_with(|| json!("2012-10-17"));
        whole.insert("Statement".to_owned(), Value::Array(statements));
        Value::Object(whole).to_string()
    }
}

/// A statement as its owner would know it: by its id, or its condition.
fn name(statement: &Value) -> String {
    let actions: Vec<_> =
        ["Action", "NotAction"].iter().flat_map(|key| many(&statement[*key])).collect();
    let actions: Vec<_> = actions.iter().filter_map(|action| action.as_str()).collect();
    let what = match statement["Sid"].as_str() {
        Some(sid) => format!("statement \"{sid}\""),
        None => format!("the statement that denies {}", actions.join(", ")),
    };
    match &statement["Condition"] {
        Value::Null => what,
        condition => format!("{what}, under {condition}"),
    }
}

/// Whether an action or a resource is among those of a statement. A policy without resources cannot be put, so that one
/// which shows none is read as of the whole bucket.
fn listed(statement: &Value, of: &str, not_of: &str, value: &str) -> bool {
    let any = |key: &str| {
        many(&statement[key]).into_iter().filter_map(Value::as_str).any(|p| matches(p, value))
    };
    match (&statement[of], &statement[not_of]) {
        (Value::Null, Value::Null) => of == "Resource",
        (Value::Null, _) => !any(not_of),
        _ => any(of),
    }
}

/// Whether a statement is about who makes the request.
fn principal(statement: &Value, who: Who<'_>) -> Holds {
    match (&statement["Principal"], &statement["NotPrincipal"]) {
        (Value::Null, Value::Null) => Holds::No,
        (Value::Null, not) => match named(not, who) {
            Holds::Yes => Holds::No,
            Holds::Perhaps => Holds::Perhaps,
            Holds::No => Holds::Yes,
        },
        (principal, _) => named(principal, who),
    }
}

fn named(principal: &Value, who: Who<'_>) -> Holds {
    if principal == "*" {
        return Holds::Yes;
    }
    let text = |key: &str| many(&principal[key]).into_iter().filter_map(Value::as_str);
    let sure = |yes: bool| if yes { Holds::Yes } else { Holds::No };
    match who {
        Who::Service { principal: service, .. } => {
            // "AWS": "*" is everybody (IAM user guide, Principal element).
            sure(text("Service").any(|s| s == service || s == "*") || text("AWS").any(|p| p == "*"))
        }
        Who::Caller { arn, account } => {
            let root = format!(":iam::{account}:root");
            if text("AWS").any(|p| p == "*" || p == account || p == arn || p.ends_with(&root)) {
                return Holds::Yes;
            }
            // The path of a role is not in the ARN of its session.
            let role = role_of(arn).map(|role| format!("/{role}"));
            let perhaps = role.is_some_and(|role| text("AWS").any(|p| p.ends_with(&role)));
            if perhaps { Holds::Perhaps } else { Holds::No }
        }
    }
}

/// A list, or the one thing that stands for it.
pub(super) fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

/// IAM's pattern: `*` is any characters, `?` is one; actions are compared without case, and no resource or principal here
/// differs from another by case alone (IAM user guide, Action element).
pub(super) fn matches(pattern: &str, value: &str) -> bool {
    fn from(pattern: &[u8], value: &[u8]) -> bool {
        match (pattern.split_first(), value.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) if from(rest, value) => true,
            (Some((b'*', _)), Some((_, left))) => from(pattern, left),
            (Some((p, rest)), Some((a, left))) if *p == b'?' || p == a => from(rest, left),
            _ => false,
        }
    }
    from(pattern.to_ascii_lowercase().as_bytes(), value.to_ascii_lowercase().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICE: &str = "us-east-1.elasticache-snapshot.amazonaws.com";
    const BUCKET: &str = "arn:aws:s3:::b";
    const OBJECT: &str = "arn:aws:s3:::b/orc-x-0001.rdb";

    fn service() -> Who<'static> {
        Who::Service { principal: SERVICE, account: "123456789012" }
    }

    fn policy(statements: Value) -> Policy {
        Policy(json!({ "Statement": statements }))
    }

    fn allow(actions: Value) -> Value {
        json!({"Effect": "Allow", "Principal": {"Service": SERVICE}, "Action": actions,
               "Resource": [BUCKET, "arn:aws:s3:::b/*"]})
    }

    #[test]
    fn policies_are_read_as_aws_writes_them() {
        for (actions, action, says) in [
            (json!("s3:*"), "s3:PutObject", Says::Allows),
            (json!("s3:*Object"), "s3:PutObject", Says::Allows),
            (json!("s3:?etObject"), "s3:GetObject", Says::Allows),
            (json!("s3:*Objects"), "s3:PutObject", Says::Nothing),
            (json!(["s3:Get*", "s3:putobject"]), "s3:PutObject", Says::Allows),
            (json!("s3:Get*"), "s3:PutObject", Says::Nothing),
        ] {
            assert_eq!(
                policy(allow(actions.clone())).allows(service(), action, OBJECT),
                says,
                "{actions}"
            );
        }
        let elsewhere = Who::Service {
            principal: "eu-west-1.elasticache-snapshot.amazonaws.com",
            account: "123456789012",
        };
        let all = policy(allow(json!("s3:*")));
        assert_eq!(all.allows(elsewhere, "s3:PutObject", OBJECT), Says::Nothing);
        assert_eq!(Policy::default().allows(service(), "s3:GetObject", OBJECT), Says::Nothing);
        let objects_only = policy(json!({"Effect": "Allow", "Principal": {"Service": SERVICE},
            "Action": "s3:*", "Resource": "arn:aws:s3:::b/*"}));
        assert_eq!(objects_only.allows(service(), "s3:GetBucketAcl", BUCKET), Says::Nothing);
        assert_eq!(objects_only.allows(service(), "s3:PutObject", OBJECT), Says::Allows);
    }

    #[test]
    fn a_denying_statement_is_told_by_its_name_and_as_surely_as_it_holds() {
        let denies = |extra: Value, who| {
            let mut deny = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*"});
            for (key, value) in extra.as_object().into_iter().flatten() {
                deny[key] = value.clone();
            }
            policy(json!([allow(json!("s3:*")), deny])).denies(who, "s3:PutObject", OBJECT)
        };
        let (what, sure) = denies(json!({"Sid": "NoUploads"}), service()).unwrap();
        assert_eq!((what.as_str(), sure), ("statement \"NoUploads\"", true));
        assert_eq!(
            denies(json!({"Condition": {"Bool": {"aws:SecureTransport": "false"}}}), service()),
            None
        );
        let vpce = json!({"Condition": {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}});
        assert!(denies(vpce.clone(), service()).unwrap().1);
        let caller =
            Who::Caller { arn: "arn:aws:iam::123456789012:user/anna", account: "123456789012" };
        assert!(!denies(vpce, caller).unwrap().1);
        assert_eq!(
            denies(json!({"NotPrincipal": {"Service": SERVICE}, "Principal": null}), service()),
            None
        );
        assert_eq!(denies(json!({"Resource": "arn:aws:s3:::b/other*"}), service()), None);
        assert_eq!(
            denies(json!({"Principal": {"AWS": "arn:aws:iam::123456789012:root"}}), service()),
            None
        );
        assert!(denies(json!({"Principal": {"AWS": "123456789012"}}), caller).unwrap().1);
    }

    #[test]
    fn a_statement_is_added_to_what_is_there() {
        let whole: Value =
            serde_json::from_str(&policy(allow(json!("s3:*"))).with(json!({"Sid": "x"}))).unwrap();
        assert_eq!(whole["Statement"][1]["Sid"], "x");
        assert_eq!(whole["Version"], "2012-10-17");
    }
}

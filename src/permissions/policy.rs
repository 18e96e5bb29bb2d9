//! Grants to statements, and statements to documents that IAM takes.

use serde_json::{Map, Value, json};

use super::action::Phases;
use super::grant::Grant;
use super::place::Place;

/// The most characters of a managed policy, white space not counted (IAM user guide, quotas).
pub const LIMIT: usize = 6_144;

/// One document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Its statements.
    pub statements: Vec<Statement>,
}

/// One statement; it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Letters and digits; says what it is for.
    pub sid: String,
    /// The service whom a bucket policy is for.
    pub principal: Option<Principal>,
    /// The actions.
    pub actions: Vec<String>,
    /// The resources.
    pub resources: Vec<String>,
    /// Operator, key, values.
    pub conditions: Vec<(String, String, Vec<String>)>,
}

/// A service in a bucket policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal(pub String);

impl Statement {
    /// As IAM's JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut statement = Map::new();
        statement.insert("Sid".to_owned(), json!(self.sid));
        statement.insert("Effect".to_owned(), json!("Allow"));
        if let Some(Principal(service)) = &self.principal {
            statement.insert("Principal".to_owned(), json!({ "Service": service }));
        }
        statement.insert("Action".to_owned(), json!(self.actions));
        statement.insert("Resource".to_owned(), json!(self.resources));
        if !self.conditions.is_empty() {
            let mut block = Map::new();
            for (operator, key, values) in &self.conditions {
                let keys = block.entry(operator.clone()).or_insert_with(|| json!({}));
                keys[key.as_str()] = json!(values);
            }
            statement.insert("Condition".to_owned(), Value::Object(block));
        }
        Value::Object(statement)
    }
}

impl Policy {
    /// As IAM's JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let statements: Vec<Value> = self.statements.iter().map(Statement::json).collect();
        json!({ "Version": "2012-10-17", "Statement": statements })
    }

    /// Its size as IAM counts it.
    #[must_use]
    pub fn size(&self) -> usize {
        self.json().to_string().chars().filter(|c| !c.is_whitespace()).count()
    }
}

/// The documents that grant all of it: one, or as many as IAM's limit makes necessary.
#[must_use]
pub fn policies(grants: &[Grant], more: Vec<Statement>) -> Vec<Policy> {
    let mut documents: Vec<Policy> = Vec::new();
    let statements = statements(grants).into_iter().chain(more).flat_map(fitting).collect();
    for statement in named(statements) {
        let mut grown = documents.pop().unwrap_or(Policy { statements: Vec::new() });
        grown.statements.push(statement);
        if grown.size() > LIMIT && grown.statements.len() > 1 {
            let last = grown.statements.pop();
            documents.push(grown);
            documents.push(Policy { statements: last.into_iter().collect() });
        } else {
            documents.push(grown);
        }
    }
    documents
}

/// A statement whose resources alone are too many for one document, as several.
fn fitting(statement: Statement) -> Vec<Statement> {
    let alone = Policy { statements: vec![statement.clone()] };
    if alone.size() <= LIMIT || statement.resources.len() < 2 {
        return vec![statement];
    }
    let (first, second) = statement.resources.split_at(statement.resources.len() / 2);
    [first, second]
        .into_iter()
        .flat_map(|half| fitting(Statement { resources: half.to_vec(), ..statement.clone() }))
        .collect()
}

/// What a statement is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Look,
    Change,
    RollBack,
}

impl Purpose {
    fn of(grant: &Grant) -> Self {
        match (grant.reads(), grant.phases == Phases::UNDO) {
            (true, _) => Self::Look,
            (false, true) => Self::RollBack,
            (false, false) => Self::Change,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Look => "LookAt",
            Self::Change => "Change",
            Self::RollBack => "RollBack",
        }
    }
}

struct Group<'a> {
    purpose: Purpose,
    action: &'a Grant,
    actions: Vec<String>,
    resources: Vec<String>,
}

/// Actions on the same resources for the same purpose share a statement; nothing is granted that no grant says.
fn statements(grants: &[Grant]) -> Vec<Statement> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for grant in grants {
        let same = |g: &&mut Group<'_>| {
            g.actions == [grant.action.clone()] && g.action.given == grant.given
        };
        match groups.iter_mut().find(same) {
            Some(group) => {
                group.resources.push(grant.resource.clone());
                // An action that is needed forth and back is no matter of the rollback alone.
                if group.purpose == Purpose::RollBack {
                    group.purpose = Purpose::of(grant);
                }
            }
            None => groups.push(Group {
                purpose: Purpose::of(grant),
                action: grant,
                actions: vec![grant.action.clone()],
                resources: vec![grant.resource.clone()],
            }),
        }
    }
    let mut merged: Vec<Group<'_>> = Vec::new();
    for group in groups {
        let same = |other: &&mut Group<'_>| {
            other.purpose == group.purpose
                && other.action.service() == group.action.service()
                && other.action.given == group.action.given
                && other.resources == group.resources
        };
        match merged.iter_mut().find(same) {
            Some(other) => other.actions.extend(group.actions),
            None => merged.push(group),
        }
    }
    let statement = |group: Group<'_>| Statement {
        sid: sid(&group),
        principal: None,
        actions: group.actions,
        resources: group.resources,
        conditions: group.action.given.clone(),
    };
    merged.into_iter().map(statement).collect()
}

/// "ElastiCacheCreateSnapshot" for one action, "ElastiCacheLookAtSnapshot" for several.
fn sid(group: &Group<'_>) -> String {
    let service = title(group.action.service());
    if let [only] = group.actions.as_slice() {
        let name = only.split(':').nth(1).unwrap_or_default();
        let back = if group.purpose == Purpose::RollBack { "RollBack" } else { "" };
        return format!("{service}{back}{name}");
    }
    let mut kinds: Vec<String> = Vec::new();
    for kind in group.resources.iter().map(|arn| kind_of(arn)) {
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    let kinds = if kinds.len() > 2 { String::new() } else { kinds.concat() };
    format!("{service}{}{kinds}", group.purpose.word())
}

fn title(service: &str) -> &str {
    match service {
        "elasticache" => "ElastiCache",
        "memorydb" => "MemoryDB",
        "s3" => "S3",
        "ssm" => "ParameterStore",
        "secretsmanager" => "SecretsManager",
        "route53" => "Route53",
        "iam" => "Iam",
        "kms" => "Kms",
        "sns" => "Sns",
        "cloudwatch" => "CloudWatch",
        "servicequotas" => "ServiceQuotas",
        other => other,
    }
}

/// The type of resource in an ARN, as a word: "Snapshot", "Object".
fn kind_of(arn: &str) -> String {
    let Some(resource) = arn.splitn(6, ':').nth(5) else { return "Everything".to_owned() };
    if arn.contains(":s3:::") {
        return if resource.contains('/') { "Object" } else { "Bucket" }.to_owned();
    }
    let kind = resource.split([':', '/']).next().unwrap_or_default();
    let mut letters = kind.chars().filter(char::is_ascii_alphanumeric);
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// No two statements of one name.
fn named(statements: Vec<Statement>) -> Vec<Statement> {
    let mut named: Vec<Statement> = Vec::new();
    for mut statement in statements {
        let base = statement.sid.clone();
        let mut number = 2;
        while named.iter().any(|other| other.sid == statement.sid) {
            statement.sid = format!("{base}{number}");
            number += 1;
        }
        named.push(statement);
    }
    named
}

/// What `orchestrate plan` needs to ask the policy simulator about its own caller.
#[must_use]
pub fn simulator_statement(principal: Option<&str>, place: &Place) -> Statement {
    let Place { partition, account, .. } = place;
    let resources = match principal {
        Some(arn) => vec![arn.to_owned()],
        None => {
            ["role", "user"].map(|kind| format!("arn:{partition}:iam::{account}:{kind}/*")).to_vec()
        }
    };
    Statement {
        sid: "AskThePolicySimulator".to_owned(),
        principal: None,
        // A session does not tell its role's path, which GetRole does.
        actions: vec!["iam:SimulatePrincipalPolicy".to_owned(), "iam:GetRole".to_owned()],
        resources,
        conditions: Vec::new(),
    }
}

/// What every run needs to read the account's stop lever, the SSM parameter `name`.
#[must_use]
pub fn lever_statement(name: &str, place: &Place) -> Statement {
    let Place { partition, region, account } = place;
    Statement {
        sid: "ReadTheStopLever".to_owned(),
        principal: None,
        actions: vec!["ssm:GetParameter".to_owned()],
        resources: vec![format!("arn:{partition}:ssm:{region}:{account}:parameter{name}")],
        conditions: Vec::new(),
    }
}

/// What every command needs to keep runs below `prefix` of a bucket. Without ListBucket, S3 answers "denied" for an object
/// that is not there (S3 API reference, GetObject).
#[must_use]
pub fn state_statements(bucket: &str, prefix: &str, place: &Place) -> [Statement; 2] {
    let partition = &place.partition;
    let arn = format!("arn:{partition}:s3:::{bucket}");
    [
        Statement {
            sid: "KeepRuns".to_owned(),
            principal: None,
            actions: ["s3:GetObject", "s3:PutObject"].map(str::to_owned).to_vec(),
            resources: vec![format!("{arn}/{prefix}*")],
            conditions: Vec::new(),
        },
        Statement {
            sid: "ListRuns".to_owned(),
            principal: None,
            actions: vec!["s3:ListBucket".to_owned()],
            resources: vec![arn],
            conditions: vec![(
                "StringLike".to_owned(),
                "s3:prefix".to_owned(),
                vec![format!("{prefix}*")],
            )],
        },
    ]
}

/// The use of customer managed keys through the services that keep the values: Parameter Store encrypts with Encrypt and
/// GenerateDataKey, Secrets Manager with GenerateDataKey; both decrypt (their pages on AWS KMS).
#[must_use]
pub fn key_statement(keys: &[String], place: &Place) -> Option<Statement> {
    if keys.is_empty() {
        return None;
    }
    let via = ["ssm", "secretsmanager"]
        .map(|service| format!("{service}.{}.amazonaws.com", place.region));
    let actions = ["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"];
    Some(Statement {
        sid: "UseTheKeysOfParametersAndSecrets".to_owned(),
        principal: None,
        actions: actions.map(str::to_owned).to_vec(),
        resources: keys.to_vec(),
        conditions: vec![("StringLike".to_owned(), "kms:ViaService".to_owned(), via.to_vec())],
    })
}

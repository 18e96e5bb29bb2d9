//! Terraform: policy documents as data sources, as the AWS provider's pages write them.

use super::bucket::BucketPolicy;
use super::policy::{Policy, Principal, Statement};

/// `aws_iam_policy_document` and `aws_iam_policy`.
#[must_use]
pub fn policy(playbook: &str, policies: &[Policy]) -> String {
    let mut out = String::new();
    for (index, policy) in policies.iter().enumerate() {
        let number = if policies.len() == 1 { String::new() } else { format!("-{}", index + 1) };
        let name = format!("orchestrate-{playbook}{number}");
        let label = label(&name);
        out += &document(&label, &policy.statements);
        out += &format!(
            "resource \"aws_iam_policy\" \"{label}\" {{\n  name        = {}\n  description = {}\n  policy      = \
             data.aws_iam_policy_document.{label}.json\n}}\n\n",
            quoted(&name),
            quoted(&format!("What orchestrate needs to run the playbook {playbook}")),
        );
    }
    trimmed(out)
}

/// `aws_iam_policy_document` and `aws_s3_bucket_policy`.
#[must_use]
pub fn bucket(buckets: &[BucketPolicy]) -> String {
    let mut out = String::new();
    for BucketPolicy { bucket, policy } in buckets {
        let label = label(&format!("orchestrate-{bucket}"));
        out += &document(&label, &policy.statements);
        out += &format!(
            "resource \"aws_s3_bucket_policy\" \"{label}\" {{\n  bucket = {}\n  policy = \
             data.aws_iam_policy_document.{label}.json\n}}\n\n",
            quoted(bucket),
        );
    }
    trimmed(out)
}

fn trimmed(out: String) -> String {
    format!("{}\n", out.trim_end())
}

fn document(label: &str, statements: &[Statement]) -> String {
    let statements: Vec<String> = statements.iter().map(statement).collect();
    format!("data \"aws_iam_policy_document\" \"{label}\" {{\n{}}}\n\n", statements.join("\n"))
}

fn statement(statement: &Statement) -> String {
    // Apart from one another, since `terraform fmt` lines up neighbours unless a list lies between them.
    let mut out = format!("  statement {{\n    sid = {}\n", quoted(&statement.sid));
    out += &format!("\n    actions = {}\n", list(&statement.actions, 4));
    out += &format!("\n    resources = {}\n", list(&statement.resources, 4));
    if let Some(Principal(service)) = &statement.principal {
        out += &format!(
            "\n    principals {{\n      type        = \"Service\"\n      identifiers = [{}]\n    }}\n",
            quoted(service)
        );
    }
    for (operator, key, values) in &statement.conditions {
        out += &format!(
            "\n    condition {{\n      test     = {}\n      variable = {}\n\n      values = {}\n    }}\n",
            quoted(operator),
            quoted(key),
            list(values, 6)
        );
    }
    out + "  }\n"
}

fn list(items: &[String], indent: usize) -> String {
    match items {
        [only] => format!("[{}]", quoted(only)),
        many => {
            let space = " ".repeat(indent);
            let lines: String =
                many.iter().map(|item| format!("{space}  {},\n", quoted(item))).collect();
            format!("[\n{lines}{space}]")
        }
    }
}

/// A quoted template without interpolation (Terraform language, strings and templates).
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.replace("${", "$${").replace("%{", "%%{").chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
    out + "\""
}

/// A name that Terraform takes for a resource: a letter first, then letters, digits, hyphens, underscores.
fn label(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect()
}

//! What a bucket can be called.

use serde_json::Value;

use crate::plan::Fault;

/// What is wrong with the argument `bucket`, if it is known and is no bucket's name: then no look at it can succeed.
pub(crate) fn bucket_fault(args: &Value) -> Option<Fault> {
    let name = args["bucket"].as_str()?;
    let why = wrong(name)?;
    let fault = Fault::new(format!("\"{name}\" is not the name of a bucket: {why}"));
    Some(fault.key("bucket").mend("give the bucket's name alone, as `aws s3 ls` lists it"))
}

/// The rules of general purpose buckets (S3 user guide, bucket naming rules), as far as they tell a name from something
/// else: an ARN, a URL, a key, a typing mistake.
fn wrong(name: &str) -> Option<&'static str> {
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '.' | '-');
    if name.starts_with("s3://") || name.starts_with("arn:") || name.contains('/') {
        return Some("it is an address, and the name is a part of it");
    }
    if !(3..=63).contains(&name.len()) {
        return Some("a name has 3 to 63 characters");
    }
    if !name.chars().all(inner) {
        return Some("a name has lower-case letters, digits, dots and hyphens");
    }
    if !edge(name.chars().next()) || !edge(name.chars().next_back()) {
        return Some("a name begins and ends with a letter or digit");
    }
    if name.contains("..") {
        return Some("dots do not follow one another in a name");
    }
    name.parse::<std::net::Ipv4Addr>().is_ok().then_some("an IP address is none")
}

#[cfg(test)]
mod tests {
    use super::wrong;

    #[test]
    fn names_are_told_from_what_is_none() {
        for name in ["demo-migration", "a.b-c", "123", &"a".repeat(63)] {
            assert_eq!(wrong(name), None, "{name}");
        }
        let long = "a".repeat(64);
        for name in [
            "s3://b",
            "arn:aws:s3:::b",
            "b/k",
            "ab",
            &long,
            "My-Bucket",
            "a b",
            "-ab",
            "ab.",
            "a..b",
            "10.0.0.1",
        ] {
            assert!(wrong(name).is_some(), "{name}");
        }
    }
}

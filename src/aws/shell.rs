//! Words of the commands that a person is told to run.

/// A word of a command, for any POSIX shell.
#[must_use]
pub fn shell(text: &str) -> String {
    let tame = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(tame) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::shell;

    #[test]
    fn what_a_shell_would_read_is_quoted() {
        assert_eq!(shell("prod-app"), "prod-app");
        assert_eq!(shell(""), "''");
        assert_eq!(shell("on ~* +@all"), "'on ~* +@all'");
        assert_eq!(shell("it's $(rm)"), r"'it'\''s $(rm)'");
    }
}

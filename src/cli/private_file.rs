//! Files that only their owner reads, written whole or not at all.

use std::ffi::OsString;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;

use super::error::CommandError;
use super::exit::Exit;

/// Writes a file; one that is there is replaced only if `replace` says so.
///
/// # Errors
/// `AlreadyExists` if it is there and is not to be replaced; else as the file system.
pub(crate) fn write(path: &Path, content: &[u8], replace: bool) -> Result<()> {
    let name = path.file_name().ok_or_else(|| Error::from(ErrorKind::InvalidInput))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    let draft = path.with_file_name(hidden);
    let written = private(&draft)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| {
            if replace {
                return std::fs::rename(&draft, path);
            }
            // A link, unlike a renaming, never takes the place of a file.
            std::fs::hard_link(&draft, path)?;
            std::fs::remove_file(&draft)
        });
    written.inspect_err(|_| {
        let _ = std::fs::remove_file(&draft);
    })
}

/// Writes a file that a person named with `--output`.
///
/// # Errors
/// `Usage` if it is there and is not to be replaced, `State` if it cannot be written; `what` it was.
pub(crate) fn keep(
    path: &Path,
    content: &[u8],
    replace: bool,
    what: &str,
) -> std::result::Result<(), CommandError> {
    write(path, content, replace).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => there_already(path),
        _ => {
            let message = format!("{}: the {what} cannot be written", path.display());
            CommandError::new(Exit::State, message).because(error.to_string())
        }
    })
}

/// The refusal to write over what somebody may have edited.
pub(crate) fn there_already(path: &Path) -> CommandError {
    CommandError::new(Exit::Usage, format!("{} is there already", path.display()))
        .because("what it holds may be edited; it was not touched")
        .hint("name another file, or say --force to write it anew")
}

/// A new file to write to; one that is there is left alone.
///
/// # Errors
/// `AlreadyExists` if it is there; else as the file system.
pub(crate) fn create(path: &Path) -> Result<std::fs::File> {
    private(path)
}

#[cfg(unix)]
fn private(path: &Path) -> Result<std::fs::File> {
    use std::os::unix::fs::OpenOptionsExt;
    std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[cfg(not(unix))]
fn private(path: &Path) -> Result<std::fs::File> {
    std::fs::OpenOptions::new().write(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_there_is_replaced_only_if_that_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.yaml");
        write(&path, b"one", false).unwrap();
        assert_eq!(write(&path, b"two", false).unwrap_err().kind(), ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read(&path).unwrap(), b"one");
        write(&path, b"three", true).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"three");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}

//! One server process with its folder, tied to the life of this process.
//!
//! The server is the child of a small shell that reads from a pipe whose other end is held here. However this process
//! ends, SIGKILL included, the kernel closes that end; the shell then kills the server and removes the folder. Every
//! call here blocks.

use super::config::files;
use super::error::DataError;
use super::program::Program;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

/// `$1` is the program, `$2` the folder. `read` is a builtin, so the shell never reaps the server before the end and
/// its process id cannot come to mean something else. Ctrl-C and the like are for the sandbox to act on.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
if read -r word && [ "$word" = start ]; then
  "$1" "$2/server.conf" </dev/null 2>"$2/stderr" &
  server=$!
  exec >/dev/null
  while read -r word; do :; done
  kill -9 "$server" 2>/dev/null
  wait "$server" 2>/dev/null
fi
rm -rf -- "$2"
"#;

/// How much of a log is read back for an error message.
const TAIL: usize = 16 * 1024;

pub(crate) struct ServerProcess {
    folder: PathBuf,
    program: String,
    watchdog: Mutex<Watchdog>,
    /// The server's standard output, on which it says nothing; its end is the server's end.
    lifeline: Mutex<UnixStream>,
}

struct Watchdog {
    shell: Child,
    rope: Option<ChildStdin>,
}

impl ServerProcess {
    /// A new folder (mode 0700) and its watchdog, which waits for [`launch`](Self::launch).
    fn new(program: &Program) -> Result<Self, DataError> {
        let local = |error| DataError::local("preparing a server's folder", &error);
        let folder = tempfile::Builder::new()
            .prefix("orchestrate-sandbox-")
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o700))
            .tempdir()
            .map_err(local)?;
        let (lifeline, theirs) = UnixStream::pair().map_err(local)?;
        let mut command = Command::new("/bin/sh");
        command
            .args(["-c", WATCHDOG, "sandbox-watchdog"])
            .arg(&program.path)
            .arg(folder.path())
            .current_dir(folder.path())
            // Nothing of the caller's environment, cloud credentials least of all, is a server's business.
            .env_clear()
            .envs(
                ["PATH", "LD_LIBRARY_PATH"]
                    .into_iter()
                    .filter_map(|name| std::env::var_os(name).map(|value| (name, value))),
            )
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::from(OwnedFd::from(theirs)))
            .stderr(Stdio::null());
        let mut shell =
            command.spawn().map_err(|error| DataError::local("starting /bin/sh", &error))?;
        // From here on the watchdog removes the folder. `command` holds a copy of the server's end of the lifeline.
        drop(command);
        let rope = shell.stdin.take();
        Ok(Self {
            folder: folder.keep(),
            program: program.name(),
            watchdog: Mutex::new(Watchdog { shell, rope }),
            lifeline: Mutex::new(lifeline),
        })
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Writes a file of mode 0600 into the folder.
    pub(crate) fn write(&self, name: &str, content: &[u8]) -> Result<(), DataError> {
        std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.folder.join(name))
            .and_then(|mut file| file.write_all(content))
            .map_err(|error| DataError::local(format!("writing a server's {name}"), &error))
    }

    /// Starts the server on the `server.conf` written before.
    pub(crate) fn launch(&self) -> Result<(), DataError> {
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        let told = match watchdog.rope.as_mut() {
            Some(rope) => rope.write_all(b"start\n").and_then(|()| rope.flush()),
            None => Err(ErrorKind::BrokenPipe.into()),
        };
        told.map_err(|error| self.start_error(error.to_string()))
    }

    /// Waits up to `patience` for the server's end, and says whether it came.
    pub(crate) fn ended_within(&self, patience: Duration) -> bool {
        let mut lifeline = self.lifeline.lock().unwrap_or_else(PoisonError::into_inner);
        if lifeline.set_read_timeout(Some(patience)).is_err() {
            return true;
        }
        let mut said = [0; 4096];
        loop {
            match lifeline.read(&mut said) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => {
                    return !matches!(
                        error.kind(),
                        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
                    );
                }
            }
        }
    }

    /// The warnings of the server's log, or what it wrote to standard error before it had a log.
    pub(crate) fn last_words(&self) -> String {
        let log = self.tail(files::LOG);
        let routine = [
            "oO0",
            "Redis version=",
            "Valkey version=",
            "Configuration loaded",
            "Server init",
            "WARNING",
        ];
        let warnings: Vec<&str> = log
            .lines()
            .filter_map(|line| line.split_once(" # ").map(|(_, words)| words.trim()))
            .filter(|words| !routine.iter().any(|start| words.starts_with(start)))
            .collect();
        let last = |lines: &[&str]| lines[lines.len().saturating_sub(3)..].join("; ");
        if !warnings.is_empty() {
            return last(&warnings);
        }
        let stderr = self.tail(files::STDERR);
        let lines: Vec<&str> =
            stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if lines.is_empty() { "it ended without a word".to_owned() } else { last(&lines) }
    }

    pub(crate) fn start_error(&self, reason: String) -> DataError {
        DataError::Start { program: self.program.clone(), reason }
    }

    fn tail(&self, name: &str) -> String {
        let bytes = std::fs::read(self.folder.join(name)).unwrap_or_default();
        String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(TAIL)..]).into_owned()
    }

    /// Lets go of the rope; the watchdog does the rest on its own.
    pub(crate) fn release(&self) {
        self.watchdog.lock().unwrap_or_else(PoisonError::into_inner).rope = None;
    }

    /// Ends the server and returns once it is gone and its folder removed: a few milliseconds.
    pub(crate) fn stop(&self) {
        self.release();
        let mut watchdog = self.watchdog.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = watchdog.shell.wait() {
            tracing::warn!(%error, "a server's watchdog could not be waited for");
        }
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Every process of a data plane, so that none outlives it whoever still holds a handle.
#[derive(Default)]
pub(crate) struct Registry {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    closed: bool,
    processes: Vec<Weak<ServerProcess>>,
}

impl Registry {
    /// A process that [`close`](Self::close) will end. Refused once closed.
    pub(crate) fn process(&self, program: &Program) -> Result<Arc<ServerProcess>, DataError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.closed {
            return Err(DataError::Start {
                program: program.name(),
                reason: "the sandbox is shutting down".to_owned(),
            });
        }
        let process = Arc::new(ServerProcess::new(program)?);
        state.processes.retain(|process| process.strong_count() > 0);
        state.processes.push(Arc::downgrade(&process));
        Ok(process)
    }

    /// Ends every process and refuses new ones.
    pub(crate) fn close(&self) {
        let processes = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.closed = true;
            std::mem::take(&mut state.processes)
        };
        stop_all(&processes.iter().filter_map(Weak::upgrade).collect::<Vec<_>>());
    }
}

/// Ends several at once: all are told before any is waited for.
pub(crate) fn stop_all(processes: &[Arc<ServerProcess>]) {
    for process in processes {
        process.release();
    }
    for process in processes {
        process.stop();
    }
}

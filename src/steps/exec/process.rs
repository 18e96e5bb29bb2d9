//! A process group of its own, its output, and its end. Everything here blocks, and counts real time.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// How often the end is looked for.
const LOOK: Duration = Duration::from_millis(20);

/// What to run.
pub(super) struct Order {
    pub(super) command: Vec<String>,
    pub(super) directory: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) limit: Duration,
    /// Bytes that are kept of each stream.
    pub(super) kept: usize,
    /// Set once nobody waits for the end any more.
    pub(super) stop: Arc<AtomicBool>,
}

/// How it ended.
#[derive(Debug)]
pub(super) struct Ended {
    /// Its exit code; none if a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) timed_out: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
    pub(super) truncated: bool,
}

pub(super) fn run(order: &Order) -> io::Result<Ended> {
    let (program, arguments) = order
        .command
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no program"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(&order.variables)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(directory) = &order.directory {
        command.current_dir(directory);
    }
    let mut child = command.spawn()?;
    let kept = order.kept;
    let stdout = child.stdout.take().map(|stream| thread::spawn(move || first(stream, kept)));
    let stderr = child.stderr.take().map(|stream| thread::spawn(move || first(stream, kept)));
    let began = Instant::now();
    let (status, timed_out) = loop {
        if let Some(status) = child.try_wait()? {
            break (status, false);
        }
        let late = began.elapsed() >= order.limit;
        if late || order.stop.load(Ordering::Relaxed) {
            kill(&child);
            break (child.wait()?, late);
        }
        thread::sleep(LOOK);
    };
    // What it has left behind would hold its streams open.
    kill(&child);
    let read = |stream: Option<thread::JoinHandle<(Vec<u8>, bool)>>| {
        stream.and_then(|stream| stream.join().ok()).unwrap_or_default()
    };
    let ((stdout, more), (stderr, still_more)) = (read(stdout), read(stderr));
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Ended {
        code: status.code(),
        timed_out,
        stdout: text(stdout),
        stderr: text(stderr),
        truncated: more || still_more,
    })
}

/// Its whole group, which has its number. The number stays taken while anybody is in the group.
fn kill(child: &Child) {
    let number = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = number {
        // Nobody left is as good.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// The first bytes of a stream, which is read to its end, and whether there were more.
fn first(mut stream: impl Read, kept: usize) -> (Vec<u8>, bool) {
    let (mut bytes, mut more) = (Vec::new(), false);
    let mut buffer = [0_u8; 8192];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) => return (bytes, more),
            Ok(count) => {
                let room = kept - bytes.len();
                more |= count > room;
                bytes.extend_from_slice(&buffer[..count.min(room)]);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return (bytes, true),
        }
    }
}

//! A process group of its own, its output, and its end. Everything here blocks, and counts real time.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::steps::redis::Secret;

/// How long the streams are read on once its whole group is gone.
const LINGER: Duration = Duration::from_secs(2);
/// Shorter texts are no secrets, and masking them would mask words.
const SHORTEST_SECRET: usize = 6;
/// What stands in the place of a secret.
const MASK: &str = "(masked)";

/// What to run.
pub(super) struct Order {
    pub(super) command: Vec<String>,
    pub(super) directory: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
    pub(super) limit: Duration,
    /// Bytes that are kept of each stream.
    pub(super) kept: usize,
    /// What is masked in them.
    pub(super) secrets: Vec<Secret>,
    /// Where its end is said, or that nobody waits for it any more.
    pub(super) words: mpsc::Receiver<Word>,
    pub(super) say: mpsc::Sender<Word>,
}

/// What the wait for a command hears.
pub(super) enum Word {
    /// It has ended.
    Ended,
    /// Nobody waits for it any more.
    Stop,
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
    let longest = order.secrets.iter().map(|secret| secret.reveal().len()).max().unwrap_or(0);
    // A secret across the end of what is kept is masked as a whole, before the rest is cut off.
    let room = order.kept + longest;
    let stdout = child.stdout.take().map(|stream| Reader::start(stream, room));
    let stderr = child.stderr.take().map(|stream| Reader::start(stream, room));
    let ended = pid(&child).map(|number| {
        let say = order.say.clone();
        thread::spawn(move || {
            wait_for(number);
            // Whoever waits for it may have given up.
            let _ = say.send(Word::Ended);
        })
    });
    // Its time is real time, whatever the run's clock says.
    let timed_out = match order.words.recv_timeout(order.limit) {
        Ok(Word::Ended | Word::Stop) | Err(mpsc::RecvTimeoutError::Disconnected) => false,
        Err(mpsc::RecvTimeoutError::Timeout) => true,
    };
    // What it has left behind would hold its streams open. The child is not reaped yet, so that nobody else can have come to
    // its number.
    kill(&child);
    // It may have moved to another group.
    let _ = child.kill();
    // Nobody else looks at it when it is reaped.
    if let Some(ended) = ended {
        let _ = ended.join();
    }
    let status = child.wait()?;
    let told = |stream: Option<Reader>| {
        let kept = stream.map(Reader::finish).unwrap_or_default();
        masked(kept, &order.secrets, order.kept, timed_out)
    };
    let ((stdout, more), (stderr, still_more)) = (told(stdout), told(stderr));
    let truncated = more || still_more;
    Ok(Ended { code: status.code(), timed_out, stdout, stderr, truncated })
}

/// Returns once the child has ended; it stays a zombie.
fn wait_for(number: Pid) {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(number), options) {}
}

fn pid(child: &Child) -> Option<Pid> {
    i32::try_from(child.id()).ok().and_then(Pid::from_raw)
}

/// Its whole group, which has its number.
fn kill(child: &Child) {
    if let Some(group) = pid(child) {
        // Nobody left is as good.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

/// What is kept of a stream, and whether there was more.
type Kept = (Vec<u8>, bool);

/// Reads a stream to its end, in a thread of its own.
struct Reader {
    kept: Arc<Mutex<Kept>>,
    ended: mpsc::Receiver<()>,
}

impl Reader {
    fn start(mut stream: impl Read + Send + 'static, room: usize) -> Self {
        let kept = Arc::new(Mutex::new((Vec::new(), false)));
        let (done, ended) = mpsc::channel();
        let into = Arc::clone(&kept);
        thread::spawn(move || {
            let mut buffer = [0_u8; 8192];
            loop {
                match stream.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => {
                        let mut kept = lock(&into);
                        let left = room - kept.0.len();
                        kept.1 |= count > left;
                        kept.0.extend_from_slice(&buffer[..count.min(left)]);
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(_) => {
                        lock(&into).1 = true;
                        break;
                    }
                }
            }
            // Whoever waits for it may have given up.
            let _ = done.send(());
        });
        Self { kept, ended }
    }

    /// What was read. A process that has left the group, and so lives on, may hold the stream open: it is not waited for.
    fn finish(self) -> Kept {
        let ended = self.ended.recv_timeout(LINGER).is_ok();
        let (bytes, more) = std::mem::take(&mut *lock(&self.kept));
        (bytes, more || !ended)
    }
}

fn lock(kept: &Mutex<Kept>) -> std::sync::MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was kept with every secret replaced, in `most` bytes; and whether there was more. One that was `killed` may have
/// been writing a secret.
fn masked((mut bytes, cut): Kept, secrets: &[Secret], most: usize, killed: bool) -> (String, bool) {
    // One that holds another goes first, so that no end of it is left over.
    let mut secrets: Vec<&str> = secrets.iter().map(Secret::reveal).collect();
    secrets.retain(|secret| secret.len() >= SHORTEST_SECRET);
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    if cut || killed {
        // The beginning of one, at the place where reading ended.
        let begun = |secret: &&str| {
            let secret = secret.as_bytes();
            (1..secret.len()).rev().find(|count| bytes.ends_with(&secret[..*count]))
        };
        let begun = secrets.iter().filter_map(begun).max().unwrap_or(0);
        bytes.truncate(bytes.len() - begun);
    }
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    for secret in secrets {
        text = text.replace(secret, MASK);
    }
    let end = text.floor_char_boundary(most);
    let more = end < text.len();
    text.truncate(end);
    (text, cut || more)
}

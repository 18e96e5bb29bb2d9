//! From a live source to a playbook that moves it.
//!
//! - `gather`: reads the account, through the survey, and nothing else;
//! - `found`: what was read;
//! - `choose`: what stands for it in MemoryDB, or why nothing can;
//! - `users`, `settings`, `places`: users, parameters and endpoints, each with what cannot be carried over;
//! - `header`, `body`: the text, of which `text` quotes every word that came from outside.
//!
//! All but `gather` is pure: the same finding gives the same text.

mod body;
mod choose;
mod found;
mod gather;
mod header;
mod places;
mod settings;
mod text;
mod users;

use serde::Serialize;

pub use choose::{Acl, Choice, Chosen, Refusal};
pub use found::{Found, Read, Source};
pub use gather::{Failed, Wanted, gather};
pub use places::{ByHand, Form, Switched, Targets};
pub use settings::{Fate, Settings};
pub use users::{LeftOut, Mapped, Users};

/// What whoever asks wants of the playbook.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The bucket, if it is known.
    pub bucket: Option<String>,
    /// The name of the new cluster.
    pub name: Option<String>,
    /// The file that the playbook goes to, for the commands in its head.
    pub file: Option<String>,
    /// Who compares the data.
    pub reader: Option<Reader>,
}

/// A user that may read everything on both sides, and where its passwords are kept.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Its name.
    pub user: String,
    /// For the source, as `secretsmanager:<name>[#field]` or `ssm:<name>`.
    pub source_password: String,
    /// For the new cluster.
    pub target_password: String,
}

/// Which step kinds there are, of those that need not be.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kinds {
    /// Snapshot, export and freeze of serverless caches.
    pub serverless: bool,
    /// `rdb.check`, with `objects` alone.
    pub rdb_check: bool,
}

/// A playbook, and what it was made of.
#[derive(Clone, Debug, Serialize)]
pub struct Written {
    /// The source in the new world.
    pub choice: Choice,
    /// Parameters.
    pub parameters: Settings,
    /// Users.
    pub users: Users,
    /// Where the endpoint was found.
    pub targets: Targets,
    /// What could not be read, a sentence each.
    pub unread: Vec<String>,
    /// What was not looked at, a clause each.
    pub left_out: Vec<String>,
    /// The playbook.
    pub playbook: String,
}

/// Writes the playbook.
///
/// # Errors
/// If this source cannot be moved by snapshot, or not by this program.
pub fn write(found: &Found, options: &Options, kinds: Kinds) -> Result<Written, Refusal> {
    let choice = choose::choose(found, options, kinds)?;
    let parameters = settings::settle(found, &choice);
    let users = users::map(found, &choice);
    let targets = places::search(found);
    let unread = found.unread();
    let left_out = found.left_out();
    let mut written =
        Written { choice, parameters, users, targets, unread, left_out, playbook: String::new() };
    let mut page = text::Page::default();
    header::write(&mut page, found, options, &written);
    body::write(&mut page, found, options, kinds, &written);
    written.playbook = page.finish();
    Ok(written)
}

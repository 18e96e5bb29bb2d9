//! The playbooks of a directory, each in its last version that is right.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::playbook_file::{Unread, load};
use crate::plan::{Catalog, GivenInputs, Plan, check, compile};
use crate::playbook::{Diagnostics, Source};
use crate::schedule::Schedule;
use crate::steps::catalog;

/// A playbook that is served.
#[derive(Clone, Debug)]
pub(super) struct Served {
    pub(super) name: String,
    pub(super) schedule: Schedule,
    pub(super) plan: Plan,
}

/// What a look at the directory brought.
pub(super) enum News {
    /// A playbook, new or changed.
    Changed(Box<Served>),
    /// It is not there any more, or has no schedule any more.
    Gone(String),
    /// A file cannot be used; the name of the playbook whose last good version goes on, if there is one.
    Invalid { file: PathBuf, name: Option<String>, why: String },
    /// A file that could not be used can be again.
    Mended { file: PathBuf },
    /// The directory cannot be read.
    Unreadable(String),
}

/// What a file held when it was looked at last.
struct Known {
    text: (Vec<u8>, Vec<u8>),
    name: Option<String>,
    invalid: bool,
}

pub(super) struct Library {
    dir: PathBuf,
    catalog: Catalog,
    files: BTreeMap<PathBuf, Known>,
    unreadable: bool,
}

const INPUTS: &str = ".inputs.yaml";

impl Library {
    /// The library of a directory, which has to be one.
    pub(super) fn new(dir: &Path) -> Result<Self, CommandError> {
        if !dir.is_dir() {
            return Err(CommandError::new(
                Exit::Usage,
                format!("{} is not a directory", dir.display()),
            )
            .hint("name the directory that the playbooks are in"));
        }
        Ok(Self {
            dir: dir.to_owned(),
            catalog: catalog(),
            files: BTreeMap::new(),
            unreadable: false,
        })
    }

    /// Looks at every file; tells what is new since the last look.
    pub(super) fn look(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        let files = match self.list() {
            Ok(files) => files,
            Err(error) => {
                // What was known stays: a directory that is being replaced is no reason to drop everything.
                if !std::mem::replace(&mut self.unreadable, true) {
                    news.push(News::Unreadable(error.to_string()));
                }
                return news;
            }
        };
        self.unreadable = false;
        let gone: Vec<PathBuf> =
            self.files.keys().filter(|file| !files.contains(file)).cloned().collect();
        for file in gone {
            if let Some(Known { name: Some(name), .. }) = self.files.remove(&file) {
                news.push(News::Gone(name));
            }
        }
        for file in files {
            self.look_at(file, &mut news);
        }
        news
    }

    fn list(&self) -> std::io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(&self.dir)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let yaml = name.ends_with(".yaml") || name.ends_with(".yml");
            // Hidden ones are what editors and mounted config maps leave beside.
            if yaml && !name.starts_with('.') && !name.ends_with(INPUTS) && path.is_file() {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    fn look_at(&mut self, file: PathBuf, news: &mut Vec<News>) {
        let inputs = inputs_of(&file);
        let read = |path: &Path| std::fs::read(path).unwrap_or_default();
        let text = (read(&file), read(&inputs));
        let before = self.files.get(&file);
        if before.is_some_and(|known| known.text == text) {
            return;
        }
        let (known_name, was_invalid) =
            before.map_or((None, false), |known| (known.name.clone(), known.invalid));
        let (name, invalid) = match self.read(&file, &inputs) {
            Ok(Some(served)) => {
                let taken = self.files.iter().find(|(other, known)| {
                    **other != file && known.name.as_ref() == Some(&served.name)
                });
                if let Some((other, _)) = taken {
                    let why = format!("{} has a playbook of the same name", other.display());
                    news.push(News::Invalid { file: file.clone(), name: known_name.clone(), why });
                    (known_name, true)
                } else {
                    if let Some(old) = known_name.filter(|old| *old != served.name) {
                        news.push(News::Gone(old));
                    }
                    let name = served.name.clone();
                    news.push(News::Changed(Box::new(served)));
                    (Some(name), false)
                }
            }
            Ok(None) => {
                if let Some(old) = known_name {
                    news.push(News::Gone(old));
                }
                (None, false)
            }
            Err(why) => {
                news.push(News::Invalid { file: file.clone(), name: known_name.clone(), why });
                (known_name, true)
            }
        };
        if was_invalid && !invalid {
            news.push(News::Mended { file: file.clone() });
        }
        self.files.insert(file, Known { text, name, invalid });
    }

    /// `None` for a playbook without a schedule, which is no concern here.
    fn read(&self, file: &Path, inputs: &Path) -> Result<Option<Served>, String> {
        let source = source(file)?;
        let (playbook, problems) = check(&source, &self.catalog);
        if problems.has_errors() {
            return Err(said(&problems));
        }
        let Some(playbook) = playbook else { return Err(said(&problems)) };
        let Some(schedule) = playbook.schedule else { return Ok(None) };
        let file = inputs.is_file().then(|| self::source(inputs)).transpose()?;
        let given = GivenInputs { file, ..GivenInputs::default() };
        let plan = compile(&source, &self.catalog, &given).map_err(|problems| said(&problems))?;
        Ok(Some(Served { name: playbook.name.value, schedule: schedule.value, plan }))
    }
}

/// The file of inputs beside a playbook.
fn inputs_of(file: &Path) -> PathBuf {
    let stem = file.file_stem().unwrap_or_default().to_string_lossy();
    file.with_file_name(format!("{stem}{INPUTS}"))
}

fn source(file: &Path) -> Result<Source, String> {
    load(file).map_err(|unread| match unread {
        Unread::File { name, why } => format!("{name}: {why}"),
        Unread::Text(problems) => said(&problems),
    })
}

fn said(problems: &Diagnostics) -> String {
    problems.render(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "playbook: v1\nname: a\nschedule: { every: 1h }\nsteps:\n  - id: wait\n    pause: { for: 10s }\n";

    fn told(library: &mut Library) -> Vec<String> {
        let words = |news| match news {
            News::Changed(served) => format!("changed {} {}", served.name, served.schedule.cadence),
            News::Gone(name) => format!("gone {name}"),
            News::Invalid { name, .. } => format!("invalid {name:?}"),
            News::Mended { .. } => "mended".to_owned(),
            News::Unreadable(_) => "unreadable".to_owned(),
        };
        library.look().into_iter().map(words).collect()
    }

    #[test]
    fn a_playbook_that_becomes_invalid_keeps_its_name_and_is_taken_again_once_it_is_mended() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a.yaml");
        std::fs::write(&file, GOOD).expect("written");
        std::fs::write(
            dir.path().join("plain.yaml"),
            GOOD.replace("schedule: { every: 1h }\n", "").replace("name: a", "name: plain"),
        )
        .expect("written");
        let mut library = Library::new(dir.path()).expect("a directory");
        assert_eq!(told(&mut library), ["changed a every 3600 s"]);
        assert_eq!(told(&mut library), [""; 0]);
        std::fs::write(&file, GOOD.replace("1h", "soon")).expect("written");
        assert_eq!(told(&mut library), ["invalid Some(\"a\")"]);
        std::fs::write(&file, GOOD.replace("1h", "2h")).expect("written");
        assert_eq!(told(&mut library), ["changed a every 7200 s", "mended"]);
        std::fs::write(dir.path().join("b.yaml"), GOOD).expect("written");
        assert_eq!(told(&mut library), ["invalid None"], "two of one name");
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(told(&mut library), ["gone a"]);
    }

    #[test]
    fn inputs_stand_beside_the_playbook() {
        let dir = tempfile::tempdir().expect("a folder");
        let text = "playbook: v1\nname: a\nschedule: { every: 1h }\ninputs:\n  for: { type: duration, description: How long. }\nsteps:\n  - id: wait\n    pause: { for: \"${{ inputs.for }}\" }\n";
        std::fs::write(dir.path().join("a.yaml"), text).expect("written");
        let mut library = Library::new(dir.path()).expect("a directory");
        assert_eq!(told(&mut library), ["invalid None"]);
        std::fs::write(dir.path().join("a.inputs.yaml"), "for: 5s\n").expect("written");
        assert_eq!(told(&mut library), ["changed a every 3600 s", "mended"]);
    }
}

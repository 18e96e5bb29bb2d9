//! The tree as text: files, their code without tests and comments, and the paths that code names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A file of the tree.
pub(super) struct Source {
    /// Relative to the repository, with forward slashes.
    pub(super) path: String,
    pub(super) text: String,
    /// Whether it is compiled for tests only.
    test: bool,
}

pub(super) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(super) fn read(path: &str) -> String {
    let full = root().join(path);
    fs::read_to_string(&full).unwrap_or_else(|error| panic!("{}: {error}", full.display()))
}

/// Every file under `folder` with this extension, in order. There must be one.
pub(super) fn files(folder: &str, extension: &str) -> Vec<Source> {
    let top = folder.split('/').next().unwrap_or(folder);
    let mut found = Vec::new();
    collect(&root().join(top), extension, &mut found);
    // A parent that lies outside the folder may say that a module is for tests only.
    let modules: BTreeSet<String> = found.iter().flat_map(Source::test_modules).collect();
    for file in &mut found {
        let path = file.path.as_str();
        let inside = |module: &String| {
            let rest = path.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        };
        file.test = modules.iter().any(inside);
    }
    found.retain(|file| Path::new(&file.path).starts_with(folder));
    found.sort_by(|a, b| a.path.cmp(&b.path));
    assert!(!found.is_empty(), "{folder} holds no .{extension} file: this test looks at nothing");
    found
}

fn collect(folder: &Path, extension: &str, found: &mut Vec<Source>) {
    let entries =
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("an entry of a folder that could be read").path();
        if path.is_dir() {
            collect(&path, extension, found);
        } else if path.extension().is_some_and(|ext| ext == extension) {
            let text = fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let path = path.strip_prefix(root()).expect("collected under the root");
            let path = path.to_string_lossy().replace('\\', "/");
            found.push(Source { path, text, test: false });
        }
    }
}

/// Fails with every problem and what to do about them.
#[track_caller]
pub(super) fn expect_none(problems: &[String], mend: &str) {
    assert!(problems.is_empty(), "\n  {}\nto mend: {mend}\n", problems.join("\n  "));
}

impl Source {
    /// The file at this path.
    pub(super) fn at(path: &str) -> Self {
        Self { path: path.to_owned(), text: read(path), test: false }
    }

    /// The code without tests and comments. Lines keep their numbers.
    pub(super) fn code(&self) -> String {
        if self.test {
            return String::new();
        }
        let mut out: Vec<&str> = Vec::new();
        let lines: Vec<&str> = self.text.lines().collect();
        let mut at = 0;
        while at < lines.len() {
            let line = lines[at];
            if is_test_attribute(line.trim_start()) {
                let end = end_of_item(&lines, at);
                out.extend(std::iter::repeat_n("", end - at));
                at = end;
                continue;
            }
            out.push(without_comment(line));
            at += 1;
        }
        out.join("\n")
    }

    /// The part of the program a file under `src/` belongs to, and how deep its module lies below the crate's root.
    pub(super) fn module(&self) -> (&str, usize) {
        let below = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let parts: Vec<&str> = below.split('/').collect();
        let folders = parts.len() - 1;
        let depth = if parts[folders] == "mod.rs" { folders } else { folders + 1 };
        (parts[0].trim_end_matches(".rs"), depth)
    }

    /// The modules in files of their own that this file declares under `#[cfg(test)]`: their paths without `.rs`.
    fn test_modules(&self) -> Vec<String> {
        let stem = self.path.trim_end_matches(".rs");
        let (folder, name) = stem.rsplit_once('/').unwrap_or(("", stem));
        let own = matches!(name, "mod" | "lib" | "main");
        let children = if own { folder.to_owned() } else { stem.to_owned() };
        let lines: Vec<&str> = self.text.lines().map(str::trim).collect();
        let mut found = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            if !is_test_attribute(line) {
                continue;
            }
            let mut elsewhere = None;
            for line in &lines[at + 1..] {
                if let Some(path) = line.strip_prefix("#[path = \"") {
                    elsewhere = Some(path.trim_end_matches("\"]").trim_end_matches(".rs"));
                } else if !line.starts_with("#[") {
                    let Some(module) = line.strip_suffix(';') else { break };
                    if let Some(("mod" | "pub mod" | "pub(crate) mod" | "pub(super) mod", name)) =
                        module.rsplit_once(' ')
                    {
                        found.push(match elsewhere {
                            Some(path) => format!("{folder}/{path}"),
                            None => format!("{children}/{name}"),
                        });
                    }
                    break;
                }
            }
        }
        found
    }
}

fn is_test_attribute(line: &str) -> bool {
    line.starts_with("#[cfg(") && words(line).any(|word| word == "test") && !line.contains("not(")
}

/// The line after the item that starts at `start` with its first attribute.
fn end_of_item(lines: &[&str], start: usize) -> usize {
    let indent = lines[start].len() - lines[start].trim_start().len();
    let mut at = start + 1;
    while at < lines.len() && ["#[", "//"].iter().any(|mark| lines[at].trim().starts_with(mark)) {
        at += 1;
    }
    let first = lines.get(at).map_or("", |line| line.trim_end());
    if first.ends_with(';') || first.ends_with('}') {
        return at + 1;
    }
    // The tree is formatted: an item ends with its closing brace at its own indentation.
    let closes = |line: &&str| {
        let own = line.len() - line.trim_start().len() == indent;
        own && matches!(line.trim(), "}" | "};" | ");")
    };
    lines.iter().skip(at).position(closes).map_or(lines.len(), |end| at + end + 1)
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") {
        return "";
    }
    line.find(" // ").map_or(line, |at| &line[..at])
}

pub(super) fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).filter(|word| !word.is_empty())
}

/// A path that code names, such as `crate::engine::Clock`, and its line.
pub(super) struct Named {
    pub(super) line: usize,
    pub(super) path: Vec<String>,
}

/// Every path in `code` that begins with `crate`, `super` or `std`, with the groups of `use` taken apart.
pub(super) fn paths(code: &str) -> Vec<Named> {
    let chars: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    let mut at = 0;
    let mut line = 1;
    while at < chars.len() {
        if chars[at] == '\n' {
            line += 1;
        }
        if !is_word(chars[at]) {
            at += 1;
            continue;
        }
        let start = at;
        let word = take_word(&chars, &mut at);
        let follows_path = start > 0 && matches!(chars[start - 1], ':' | '$');
        let root = matches!(word.as_str(), "crate" | "super" | "std") && !follows_path;
        if !root || !next_is_path(&chars, at) {
            continue;
        }
        let mut all = Vec::new();
        let begin = at;
        at += 2;
        take_tree(&chars, &mut at, &[word], &mut all);
        found.extend(all.into_iter().map(|path| Named { line, path }));
        line += chars[begin..at].iter().filter(|c| **c == '\n').count();
    }
    found
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn take_word(chars: &[char], at: &mut usize) -> String {
    let start = *at;
    while *at < chars.len() && is_word(chars[*at]) {
        *at += 1;
    }
    chars[start..*at].iter().collect()
}

fn next_is_path(chars: &[char], at: usize) -> bool {
    chars.get(at) == Some(&':') && chars.get(at + 1) == Some(&':')
}

fn skip_space(chars: &[char], at: &mut usize) {
    while chars.get(*at).is_some_and(|c| c.is_whitespace()) {
        *at += 1;
    }
}

/// What follows `prefix::`: a name, names in braces, or a star.
fn take_tree(chars: &[char], at: &mut usize, prefix: &[String], found: &mut Vec<Vec<String>>) {
    skip_space(chars, at);
    if chars.get(*at) != Some(&'{') {
        let name = match chars.get(*at) {
            Some('*') => {
                *at += 1;
                "*".to_owned()
            }
            _ => take_word(chars, at),
        };
        let mut path = prefix.to_vec();
        if !name.is_empty() {
            path.push(name);
        }
        if path.len() > prefix.len() && next_is_path(chars, *at) {
            *at += 2;
            take_tree(chars, at, &path, found);
        } else {
            found.push(path);
        }
        return;
    }
    *at += 1;
    loop {
        let before = *at;
        skip_space(chars, at);
        match chars.get(*at) {
            None => return,
            Some('}') => {
                *at += 1;
                return;
            }
            Some(',') => *at += 1,
            Some(_) => take_tree(chars, at, prefix, found),
        }
        if *at == before {
            // Nothing a `use` may hold; leave it to the compiler.
            return;
        }
    }
}

/// A path as seen from the crate's root: `super` is followed where it leads out of the file's part of the program.
pub(super) fn from_root(path: &[String], depth: usize) -> Option<&[String]> {
    let supers = path.iter().take_while(|hop| *hop == "super").count();
    match path[0].as_str() {
        "crate" => Some(&path[1..]),
        "super" if supers >= depth => Some(&path[supers..]),
        _ => None,
    }
}

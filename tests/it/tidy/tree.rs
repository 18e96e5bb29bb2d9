//! What may be in the tree and in the lock file, and what pages may say.

use std::collections::BTreeSet;
use std::fs;

use super::source::{Source, expect_none, files, read, root, words};

/// Longer files hide more than one thing.
const MOST_LINES: usize = 700;

/// Packages in Cargo.lock: the eleven AWS services and their runtime, tokio, clap, TLS,
/// S3's protocol for the sandbox, and what the tests need. Each one more is code that somebody has to trust, and build
/// time for everybody; ten are left for updates that split a crate in two.
const MOST_PACKAGES: usize = 424;

const MODELINE: &str = "# yaml-language-server: $schema=../docs/playbook.schema.json";

#[test]
fn no_source_file_is_longer_than_seven_hundred_lines() {
    let mut problems = Vec::new();
    for folder in ["src", "sandbox", "tests"] {
        for file in files(folder, "rs") {
            let lines = file.text.lines().count();
            if lines > MOST_LINES {
                problems.push(format!("{}: {lines} lines", file.path));
            }
        }
    }
    expect_none(
        &problems,
        "split the file by what its parts are about; below 400 lines is the aim, 700 the end",
    );
}

/// Name and version of every package in Cargo.lock.
fn locked() -> Vec<(String, String)> {
    let lock = read("Cargo.lock");
    let field = |block: &str, key: &str| {
        let line = block.lines().find_map(|line| line.strip_prefix(key))?;
        Some(line.trim_start_matches(" = ").trim_matches('"').to_owned())
    };
    let packages: Vec<_> = lock
        .split("[[package]]")
        .skip(1)
        .filter_map(|block| Some((field(block, "name")?, field(block, "version")?)))
        .collect();
    assert!(packages.len() > 50, "Cargo.lock does not read as this test expects");
    packages
}

#[test]
fn no_second_http_or_tls_stack_is_locked() {
    let banned = [
        ("hyper", "0."),
        ("h2", "0.3."),
        ("rustls", "0.21."),
        ("openssl", ""),
        ("openssl-sys", ""),
        ("native-tls", ""),
    ];
    let problems: Vec<String> = locked()
        .iter()
        .filter(|(name, version)| {
            banned.iter().any(|(bad, old)| name == bad && version.starts_with(old))
        })
        .map(|(name, version)| format!("Cargo.lock: {name} {version}"))
        .collect();
    expect_none(
        &problems,
        "`cargo tree -i <package>` shows who asks for it; an AWS crate without `default-features = false` is the usual \
         reason",
    );
}

#[test]
fn dependencies_stay_within_their_budget() {
    let packages = locked().len();
    let over = (packages > MOST_PACKAGES)
        .then(|| format!("Cargo.lock: {packages} packages, {MOST_PACKAGES} are budgeted"));
    expect_none(
        &over.into_iter().collect::<Vec<_>>(),
        "switch features off, or do without; if the crate is worth it, raise MOST_PACKAGES and say in the commit why",
    );
}

#[test]
fn every_test_module_is_part_of_its_binary() {
    let mut problems = Vec::new();
    for folder in ["tests/it", "sandbox/tests/it"] {
        let main = read(&format!("{folder}/main.rs"));
        let listed: BTreeSet<&str> = main
            .lines()
            .filter_map(|line| line.trim().strip_prefix("mod ")?.strip_suffix(';'))
            .collect();
        let entries = fs::read_dir(root().join(folder)).expect("main.rs was read from it");
        for entry in entries {
            let path = entry.expect("an entry of a folder that could be read").path();
            let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            let module = path.extension().is_some_and(|ext| ext == "rs") && stem != "main"
                || path.join("mod.rs").is_file();
            if module && !listed.contains(stem.as_str()) {
                problems.push(format!("{folder}/{stem} is never compiled"));
            }
        }
    }
    problems.sort();
    expect_none(&problems, "add `mod <name>;` to the folder's main.rs");
}

#[test]
fn every_playbook_tells_editors_its_schema() {
    let problems: Vec<String> = files("playbooks", "yaml")
        .iter()
        .filter(|file| file.text.lines().next() != Some(MODELINE))
        .map(|file| file.path.clone())
        .collect();
    expect_none(&problems, &format!("make this the first line: {MODELINE}"));
}

/// The pages that people read: at the root, in docs/ and in localstack/.
fn pages() -> Vec<Source> {
    let mut pages = files("docs", "md");
    pages.extend(files("localstack", "md"));
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"] {
        pages.push(Source::at(name));
    }
    pages
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut problems = Vec::new();
    for page in pages() {
        let folder = root().join(&page.path);
        let folder = folder.parent().expect("a page is in a folder");
        for (number, line) in page.text.lines().enumerate() {
            for link in line.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
                let target = link.split('#').next().unwrap_or_default();
                let elsewhere = target.contains("://") || target.starts_with("mailto:");
                if !target.is_empty() && !elsewhere && !folder.join(target).exists() {
                    problems.push(format!("{}:{}: {link}", page.path, number + 1));
                }
            }
        }
    }
    expect_none(&problems, "correct the link, or add what it names");
}

#[test]
fn every_test_named_in_the_guarantees_exists() {
    let mut known = BTreeSet::new();
    for folder in ["src", "sandbox", "tests"] {
        for file in files(folder, "rs") {
            for rest in file.text.split("fn ").skip(1) {
                known.insert(words(rest).next().unwrap_or_default().to_owned());
            }
        }
    }
    let page = read("docs/guarantees.md");
    let mut problems = Vec::new();
    let mut promises = 0;
    for (number, line) in page.lines().enumerate() {
        let Some(proofs) = line.strip_prefix("Tests: ") else { continue };
        promises += 1;
        for name in proofs.split('`').skip(1).step_by(2) {
            if !known.contains(name) {
                problems.push(format!("docs/guarantees.md:{}: `{name}`", number + 1));
            }
        }
    }
    assert!(promises > 0, "docs/guarantees.md names no tests: this test looks at nothing");
    expect_none(
        &problems,
        "name a test that exists, each on the one line that begins with `Tests: `",
    );
}

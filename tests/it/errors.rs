//! docs/errors.md: every code with an example that gives it, and with what to write instead. All of them are tried.

use std::collections::BTreeSet;
use std::path::PathBuf;

use orchestrate::plan::{GivenInputs, check, compile};
use orchestrate::playbook::{Code, Diagnostics, Source};
use orchestrate::steps::catalog;
use serde_json::Value;

use crate::program::Place;

/// One section of the page.
struct Section {
    code: String,
    /// What stands under the heading, up to the first example.
    text: String,
    /// A script that makes `bad.yaml` of `good.yaml`, for a file that no page can show.
    recipe: Option<String>,
    bad: Option<String>,
    good: String,
    /// Arguments to give, and what to give instead, where the inputs are wrong.
    given: Option<(Vec<String>, Vec<String>)>,
}

fn page() -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
    std::fs::read_to_string(path).expect("docs/errors.md")
}

fn sections() -> Vec<Section> {
    page().split("\n### ").skip(1).map(section).collect()
}

fn section(text: &str) -> Section {
    let code = text.lines().next().unwrap_or_default().trim().to_owned();
    let fenced = |language: &str| -> Vec<String> {
        let open = format!("```{language}\n");
        let blocks = text.split(&open).skip(1).filter_map(|rest| rest.split("```").next());
        blocks.map(str::to_owned).collect()
    };
    let recipe = fenced("bash").pop();
    let mut playbooks = fenced("yaml");
    let given = text.lines().find_map(|line| line.strip_prefix("Given ")).map(|line| {
        let mut shown = line.split('`').skip(1).step_by(2);
        let words =
            |text: &str| text.split(' ').filter(|w| *w != "--input").map(str::to_owned).collect();
        let bad = if line.starts_with("nothing") { "" } else { shown.next().unwrap_or_default() };
        (words(bad), words(shown.next().unwrap_or_default()))
    });
    let good = playbooks.pop().unwrap_or_else(|| panic!("{code} has no example"));
    // Wrong inputs are told of a playbook that is right.
    let bad = if given.is_some() { Some(good.clone()) } else { playbooks.pop() };
    let prose = text.lines().skip(2).collect::<Vec<_>>().join("\n");
    let prose = prose.split("```").next().unwrap_or_default().to_owned();
    Section { code, text: prose, recipe, bad, good, given }
}

/// All that is said of a file with these inputs; without inputs, what `validate` says.
fn problems(bytes: Vec<u8>, given: Option<&[String]>) -> Diagnostics {
    let source = match Source::from_bytes("bad.yaml", bytes) {
        Ok(source) => source,
        Err(problems) => return problems,
    };
    let catalog = catalog();
    let Some(given) = given else { return check(&source, &catalog).1 };
    let arguments = given.iter().filter(|argument| !argument.is_empty()).cloned().collect();
    let given = GivenInputs { arguments, ..GivenInputs::default() };
    compile(&source, &catalog, &given).err().unwrap_or_else(|| Diagnostics::new(source))
}

fn bad_bytes(section: &Section, place: &Place) -> Vec<u8> {
    let Some(recipe) = &section.recipe else {
        return section
            .bad
            .clone()
            .unwrap_or_else(|| panic!("{} has one example", section.code))
            .into();
    };
    place.write("good.yaml", &section.good);
    let status = std::process::Command::new("bash")
        .args(["-euc", recipe])
        .current_dir(place.folder.path())
        .status()
        .expect("bash starts");
    assert!(status.success(), "{}: the recipe failed", section.code);
    std::fs::read(place.path("bad.yaml")).expect("the recipe makes bad.yaml")
}

#[test]
fn every_code_has_an_example_that_gives_it_and_a_mend_that_is_clean() {
    let place = Place::new();
    let sections = sections();
    let written: Vec<&str> = sections.iter().map(|section| section.code.as_str()).collect();
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(written, codes, "docs/errors.md has one section a code, in order");
    for (section, code) in sections.iter().zip(Code::ALL) {
        let meaning = section.text.replace('\n', " ");
        assert!(meaning.starts_with(code.meaning()), "{code} begins with {meaning:?}");
        let (bad, good) = match &section.given {
            Some((bad, good)) => (Some(bad.as_slice()), Some(good.as_slice())),
            None => (None, None),
        };
        let found = problems(bad_bytes(section, &place), bad);
        let shown = found.render(false);
        assert!(!found.is_empty(), "{code}: the example is not refused");
        for problem in found.items() {
            assert_eq!(problem.code, *code, "the example of {code} gives\n{shown}");
            assert_eq!(problem.severity, code.severity(), "{code}");
            assert!(problem.help.is_some(), "nothing is said of what to do:\n{shown}");
        }
        let mended = problems(section.good.clone().into_bytes(), good);
        assert!(mended.is_empty(), "what {code} says to write instead gives\n{mended}");
    }
}

/// The examples as files, each called by its code; without those that need inputs to be wrong.
fn files(place: &Place) -> Vec<(String, String)> {
    sections()
        .iter()
        .filter(|section| section.given.is_none())
        .map(|section| {
            let bytes = bad_bytes(section, place);
            let path = place.write(&format!("{}.yaml", section.code), bytes);
            (section.code.clone(), path.to_str().expect("UTF-8").to_owned())
        })
        .collect()
}

#[test]
fn all_bad_examples_at_once_are_each_told_to_machines() {
    let place = Place::new();
    let files = files(&place);
    let arguments: Vec<&str> = ["validate", "--json"]
        .into_iter()
        .chain(files.iter().map(|(_, path)| path.as_str()))
        .collect();
    let said = place.run(&arguments);
    said.ends_with(3);
    let mut told = BTreeSet::new();
    for line in said.out.lines() {
        let line: Value = serde_json::from_str(line).expect("one JSON object a line");
        let data = &line["data"];
        if line["event"] != "diagnostic" {
            assert!(line["event"] == "valid" || line["event"] == "invalid", "{line}");
            continue;
        }
        for number in ["line", "column", "end_line", "end_column"] {
            assert!(data[number].as_u64().is_some_and(|n| n > 0), "{line}");
        }
        for words in ["message", "help", "severity"] {
            assert!(data[words].as_str().is_some_and(|text| !text.is_empty()), "{line}");
        }
        assert!(data.get("suggestion").is_some(), "{line}");
        let file = data["file"].as_str().expect("a file");
        let code = data["code"].as_str().expect("a code");
        assert!(file.ends_with(&format!("{code}.yaml")), "{line}");
        told.insert(code.to_owned());
    }
    assert_eq!(told, files.into_iter().map(|(code, _)| code).collect());
}

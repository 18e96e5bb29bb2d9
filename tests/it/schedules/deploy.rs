//! The files in deploy/: they can be read by what reads them, and what they call carries an occurrence out once.

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::program::{BINARY, Place, Said, Served};

const PLAYBOOK: &str = "deploy/nightly.yaml";
const INSTALLED: &str = "/usr/local/bin/orchestrate";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).expect("a shipped file")
}

/// What one of the tools of tests/requirements.txt says.
fn tool(name: &str, arguments: &[&str]) -> Said {
    let path = root().join("target/venv/bin").join(name);
    let done = Command::new(&path)
        .args(arguments)
        .current_dir(root())
        .env("AWS_REGION", "us-east-1")
        .output();
    done.unwrap_or_else(|e| panic!("{}: {e}; `tests/run` installs it", path.display())).into()
}

/// A file as JSON, by Python: `read` makes a value of `text`.
fn python(path: &str, read: &str) -> Value {
    let script = format!(
        "import json, sys\ntext = open(sys.argv[1]).read()\n{read}\nprint(json.dumps(value))"
    );
    let said = tool("python", &["-c", &script, path]);
    said.ends_with(0);
    serde_json::from_str(&said.out).expect("JSON")
}

fn words(value: &Value) -> Vec<String> {
    let list = value.as_array().unwrap_or_else(|| panic!("no list of words: {value}"));
    list.iter().map(|word| word.as_str().expect("a word").to_owned()).collect()
}

fn unit(name: &str) -> Value {
    let path = format!("deploy/systemd/{name}");
    // A key may stand more than once in a unit, such as OnCalendar.
    python(
        &path,
        "import configparser\nfrom collections import OrderedDict\nclass Many(OrderedDict):\n    def __setitem__(self, key, value):\n        if isinstance(value, list) and key in self:\n            self[key].extend(value)\n        else:\n            super().__setitem__(key, value)\nparser = configparser.RawConfigParser(strict=False, dict_type=Many)\nparser.optionxform = str\nparser.read_string(text)\nvalue = {name: dict(parser[name]) for name in parser.sections()}",
    )
}

/// Whatever the shipped files call to carry an occurrence out: the arguments, by file.
fn called() -> Vec<(&'static str, Vec<String>)> {
    let service = unit("orchestrate-nightly.service");
    let exec = service["Service"]["ExecStart"].as_str().expect("ExecStart");
    let exec = exec.strip_prefix(INSTALLED).expect("the installed program");
    let job = python("deploy/kubernetes/nightly.yaml", "import yaml\nvalue = yaml.safe_load(text)");
    assert_eq!((&job["kind"], &job["apiVersion"]), (&"CronJob".into(), &"batch/v1".into()));
    let container = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let schedule = python("deploy/eventbridge/nightly.json", "value = json.loads(text)");
    let input: Value = serde_json::from_str(schedule["Target"]["Input"].as_str().expect("text"))
        .expect("the input is JSON");
    let terraform = read("deploy/eventbridge/nightly.tf");
    let command = terraform.lines().find_map(|line| line.trim().strip_prefix("command = "));
    let command: Value = serde_json::from_str(command.expect("a command")).expect("a list");
    vec![
        ("systemd", exec.split_whitespace().map(str::to_owned).collect()),
        ("kubernetes", words(&container["args"])),
        ("eventbridge json", words(&input["containerOverrides"][0]["command"])),
        ("eventbridge tf", words(&command)),
    ]
}

#[test]
fn the_files_that_call_the_program_can_be_read_by_what_reads_them() {
    for name in
        ["orchestrate-serve.service", "orchestrate-nightly.service", "orchestrate-nightly.timer"]
    {
        let sections = unit(name);
        assert!(sections["Unit"]["Description"].is_string(), "{name}: {sections}");
    }
    let said = tool("hcl2tojson", &["deploy/eventbridge/nightly.tf"]);
    said.ends_with(0).says("aws_scheduler_schedule");
    // By the service's own model: every member, its type and its bounds.
    let said = tool(
        "aws",
        &[
            "scheduler",
            "create-schedule",
            "--cli-input-json",
            "file://deploy/eventbridge/nightly.json",
            "--generate-cli-skeleton",
            "output",
            "--region",
            "us-east-1",
        ],
    );
    said.ends_with(0).says("ScheduleArn");
    // systemd's own check, where there is one; the units name the program where it is installed.
    let place = Place::new();
    let mut units = Vec::new();
    for name in
        ["orchestrate-serve.service", "orchestrate-nightly.service", "orchestrate-nightly.timer"]
    {
        let text = read(&format!("deploy/systemd/{name}")).replace(INSTALLED, BINARY);
        units.push(place.write(name, text));
    }
    match Command::new("systemd-analyze").arg("verify").args(&units).output() {
        Ok(output) => {
            let said = Said::from(output);
            said.ends_with(0);
            // It warns of what it passes over.
            assert!(!said.err.contains("Unknown"), "{}", said.all());
        }
        Err(_) => {
            println!("systemd-analyze is not on this machine: the units were read, not verified")
        }
    }
}

#[test]
fn what_the_files_call_carries_an_occurrence_out_once_however_often_they_fire() {
    let place = Place::new();
    let served = Served::start(&place, &["--speed", "400", "--no-servers", PLAYBOOK]);
    // The newest time that has come, as the scheduler would hand it over.
    let next = served
        .run(&place, &["schedule", "next", PLAYBOOK, "-n", "3", "--after", "2026-03-28T00:00:00Z"]);
    next.ends_with(0).says("2026-03-28T01:15:00Z");
    // 02:15 is not on the wall in Paris on that night.
    assert!(!next.out.contains("2026-03-29T"), "{}", next.all());
    let mut newest = None;
    for (file, command) in called() {
        let command: Vec<String> = command
            .iter()
            .map(|word| match word.as_str() {
                "/etc/orchestrate/nightly.yaml" => PLAYBOOK.to_owned(),
                "<aws.scheduler.scheduled-time>" => newest.clone().expect("it ran before"),
                word => word.to_owned(),
            })
            .collect();
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        for again in [false, true] {
            let said = served.run(&place, &command);
            assert_eq!(said.code, Some(0), "{file}\n{}", said.all());
            let first = newest.is_none();
            match first && !again {
                true => said.says("nightly succeeded"),
                false => said.says("already ran: run "),
            };
            let key = said
                .out
                .lines()
                .find_map(|line| line.trim().strip_prefix("nightly@"))
                .expect("its key");
            newest.get_or_insert(
                key.split_whitespace().next().expect("a time").trim_end_matches(':').to_owned(),
            );
            assert_eq!(served.effects("CreateSnapshot"), 1, "{file}");
        }
    }
    assert_eq!(place.runs().len(), 1);
}

//! `exec`: a command on the machine that carries out the run.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::playbook::parse_duration;
use crate::steps::redis::Secret;
use crate::steps::secret::{SecretRef, reveal};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};
use process::{Ended, Order, Word};

mod process;

/// What is kept of each stream of its output.
const KEPT: usize = 16 * 1024;
/// Where commands are looked for unless the playbook says otherwise.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// How long a kind of step may run anyway.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Runs a command on the machine that carries out the run, without a shell, and fails unless it ends with 0.
///
/// Its environment is empty but for `PATH` (`/usr/local/bin:/usr/bin:/bin`), `ORCHESTRATE_RUN`, `ORCHESTRATE_STEP`, and what
/// `env` and `secrets` say. `secrets` are read when it is started, go nowhere but into its environment, and are masked in
/// what is kept of its output: the first 16 KiB of each stream, in the journal. When its time (`limit`) is up, or the run is
/// stopped (Ctrl-C, `orchestrate cancel`), its whole process group is killed; what it has left running when it ends is, too. Secrets of less than six
/// characters are not masked.
///
/// **It may run twice**: a process that dies while the command runs cannot know how far it came, and `orchestrate resume`
/// starts it again, while the first one may still be at work: a process that is killed with SIGKILL cannot take it along.
/// Write commands that bear that, with a lock if need be; `ORCHESTRATE_RUN` and `ORCHESTRATE_STEP` are the same then.
///
/// ```yaml
/// - id: warm
///   exec:
///     command: [/opt/shop/warm-cache, --cluster, prod-mdb]
///     secrets: { REDIS_PASSWORD: "secretsmanager:prod/redis#app" }
///     limit: 5m
///     undo: [/opt/shop/cool-cache]
/// ```
///
/// Undone by the command `undo`, with the same environment; without one nothing is undone, and the rollback says so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The program and its arguments. None is a secret: everybody on the machine can see them.
    #[schemars(length(min = 1))]
    command: Vec<String>,
    /// Variables of its environment.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Variables of its environment that are secrets, by where these are kept.
    #[serde(default)]
    secrets: BTreeMap<String, SecretRef>,
    /// The directory that it runs in; the one of `orchestrate` if left out.
    #[serde(default)]
    directory: Option<String>,
    /// How long it may take; `10m` if left out.
    #[serde(default = "ten_minutes")]
    #[schemars(extend("x-format" = "duration"))]
    limit: String,
    /// What undoes it: a program and its arguments.
    #[serde(default)]
    undo: Vec<String>,
}

fn ten_minutes() -> String {
    "10m".to_owned()
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    command: Vec<String>,
}

/// What the command said.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The first 16 KiB of its standard output, secrets masked.
    stdout: String,
    /// The first 16 KiB of its standard error, secrets masked.
    stderr: String,
    /// Whether more was said than was kept.
    truncated: bool,
}

/// `exec`.
pub(crate) struct Exec;

impl Step for Exec {
    const KIND: &'static str = "exec";
    const SUMMARY: &'static str = "run a command on this machine";
    const ACTIONS: &'static [Action] = &[
        action("secretsmanager:GetSecretValue", "secret:{secrets}", Phases::RUN_UNDO),
        action("ssm:GetParameter", "parameter/{secrets}", Phases::RUN_UNDO),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::Undo);
    const TIMEOUT: Duration = LONGEST;
    const EXPECTED: Duration = Duration::from_secs(30);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let mut faults = Vec::new();
        if let Some(Err(why)) = args["limit"].as_str().map(limit) {
            faults.push(Fault::new(why).key("limit").mend("write `10m`"));
        }
        let names = |key: &str| {
            let fields = args[key].as_object();
            fields.into_iter().flatten().map(|(name, _)| name.clone()).collect::<Vec<_>>()
        };
        for key in ["env", "secrets"] {
            for name in names(key) {
                if name.is_empty() || name.contains(['=', '\0']) {
                    let fault = Fault::new(format!("`{name}` is no name of a variable"));
                    faults.push(fault.key(key).mend("use letters, digits and _"));
                }
            }
        }
        if let Some(twice) = names("secrets").into_iter().find(|name| names("env").contains(name)) {
            let fault = Fault::new(format!("the variable `{twice}` is there twice")).key("secrets");
            faults.push(fault.mend("leave it out of `env`"));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let words = |key: &str| {
            let words = args[key].as_array().map(Vec::as_slice).unwrap_or_default();
            words.iter().map(|word| word.as_str().unwrap_or("…")).collect::<Vec<_>>().join(" ")
        };
        let undo = words("undo");
        Sketch {
            does: format!("run on this machine: {}", words("command")),
            undo: Some(match undo.is_empty() {
                true => "nothing: no undo is declared".to_owned(),
                false => format!("run {undo}"),
            }),
            loses: None,
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        vec![Touch::changes(format!("what {} changes", args["command"][0].as_str().unwrap_or("…")))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let secrets = args["secrets"].as_object().into_iter().flatten();
        secrets.filter_map(|(_, at)| Some(Need::Password(at.as_str()?.to_owned()))).collect()
    }

    async fn prepare(
        _env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        limit(&spec.limit).map_err(Failure::fatal)?;
        let resource = Resource {
            what: "command".to_owned(),
            name: spec.command.first().cloned().unwrap_or_default(),
            arn: None,
            role: Role::Changes,
        };
        Ok((Prepared { command: spec.command.clone() }, vec![resource]))
    }

    async fn execute(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let ended = run(env, spec, &prepared.command, cx).await?;
        Ok(Done::Changed(Output {
            stdout: ended.stdout,
            stderr: ended.stderr,
            truncated: ended.truncated,
        }))
    }

    async fn undo(
        env: &Env,
        spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Vec<String>, Failure> {
        // Noted before the command was started: without it nothing was.
        if !was_started(cx) {
            return Ok(Vec::new());
        }
        let ran = prepared.command.join(" ");
        if spec.undo.is_empty() {
            return Ok(vec![format!("left what `{ran}` did: no undo is declared")]);
        }
        run(env, spec, &spec.undo, cx).await?;
        Ok(vec![format!("ran `{}`", spec.undo.join(" "))])
    }
}

fn limit(text: &str) -> Result<Duration, String> {
    let limit = parse_duration(text).map_err(|why| format!("`{text}` is no duration: {why}"))?;
    match limit.is_zero() || limit > LONGEST {
        true => Err(format!("`{text}` is not between nothing and a day")),
        false => Ok(limit),
    }
}

/// Whether the command may have been at work.
fn was_started(cx: &Cx) -> bool {
    cx.noted().is_some_and(|note| note["started"] == json!(true))
}

/// Runs a command to its end. An error unless that is 0.
async fn run(env: &Env, spec: &Spec, command: &[String], cx: &Cx) -> Result<Ended, Failure> {
    let limit = limit(&spec.limit).map_err(Failure::fatal)?;
    let mut secrets: Vec<(String, Secret)> = Vec::new();
    for (name, at) in &spec.secrets {
        secrets.push((name.clone(), reveal(env, at).await?));
    }
    let mut variables: BTreeMap<String, String> = [
        ("PATH".to_owned(), PATH.to_owned()),
        ("ORCHESTRATE_RUN".to_owned(), cx.run.to_string()),
        ("ORCHESTRATE_STEP".to_owned(), cx.step.clone()),
    ]
    .into();
    variables.extend(spec.env.clone());
    variables
        .extend(secrets.iter().map(|(name, secret)| (name.clone(), secret.reveal().to_owned())));
    // Whoever may make no change may start no command.
    env.aws.permit("this machine", "exec").await?;
    // By an earlier attempt, of which nobody knows how far it came.
    let before = was_started(cx);
    if !before {
        cx.note(json!({ "started": true })).await?;
    }
    let (say, words) = mpsc::channel();
    let order = Order {
        command: command.to_vec(),
        directory: spec.directory.clone(),
        variables,
        limit,
        kept: KEPT,
        secrets: secrets.into_iter().map(|(_, secret)| secret).collect(),
        words,
        say: say.clone(),
    };
    // Should this future be dropped, the command is killed too.
    let stopping = Stopping(say);
    let mut running = tokio::task::spawn_blocking(move || process::run(&order));
    let what = format!("command {} ", command.first().map_or("", String::as_str));
    let done = tokio::select! {
        biased;
        done = &mut running => done,
        stopped = cx.stopped() => {
            drop(stopping);
            // Until its processes are gone: nobody is to find it at work when the run is taken up again.
            let _ = running.await;
            return Err(stopped.context(format!("{what}was killed")));
        }
    };
    drop(stopping);
    let ended = done
        .map_err(|error| {
            Failure::fatal(format!("{what}could not be waited for")).because(error.to_string())
        })?
        .map_err(|error| {
            Failure::fatal(format!("{what}could not be started"))
                .because(error.to_string())
                .mend("name the program by its whole path, or set PATH in `env`")
        });
    if ended.is_err() && !before {
        cx.note(json!({ "started": false })).await?;
    }
    let ended = ended?;
    let failed = |class, why: String| {
        let failure = Failure::new(class, format!("{what}{why}"));
        match ended.stderr.trim().lines().next_back() {
            Some(last) => failure.because(last.chars().take(400).collect::<String>()),
            None => failure,
        }
    };
    if ended.timed_out {
        let why = format!("took longer than {}; its processes were killed", spec.limit);
        return Err(failed(Class::TimedOut, why));
    }
    match ended.code {
        Some(0) => Ok(ended),
        Some(code) => Err(failed(Class::Fatal, format!("ended with {code}"))),
        None => Err(failed(Class::Fatal, "was ended by a signal".to_owned())),
    }
}

/// Lets the command be killed once nobody waits for it any more.
struct Stopping(mpsc::Sender<Word>);

impl Drop for Stopping {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.send(Word::Stop);
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::Client;
    use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueOutput;
    use aws_smithy_mocks::mock;

    use super::*;
    use crate::steps::testing::{self, Rules};

    async fn run_it(args: Value) -> Result<Output, Failure> {
        let secret = mock!(Client::get_secret_value).then_output(|| {
            GetSecretValueOutput::builder().secret_string("hunter2-hunter2").build()
        });
        let env = testing::env(Rules { secretsmanager: vec![&secret], ..Rules::default() });
        let (spec, cx): (Spec, _) = (testing::spec(args), testing::cx("warm"));
        let (prepared, _) = Exec::prepare(&env, &spec, &cx).await?;
        match Exec::execute(&env, &spec, &prepared, &cx).await? {
            Done::Changed(output) => Ok(output),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn its_environment_is_what_is_declared_and_secrets_are_masked() {
        let output = run_it(json!({
            "command": ["/bin/sh", "-c", "env | sort; echo $PASSWORD >&2"],
            "env": {"COLOUR": "red"},
            "secrets": {"PASSWORD": "secretsmanager:x"},
        }))
        .await
        .unwrap();
        let names: Vec<&str> = output.stdout.lines().filter_map(|l| l.split('=').next()).collect();
        // A shell sets some of its own.
        let own = ["PWD", "OLDPWD", "SHLVL", "_"];
        let names: Vec<&str> = names.into_iter().filter(|name| !own.contains(name)).collect();
        assert_eq!(names, ["COLOUR", "ORCHESTRATE_RUN", "ORCHESTRATE_STEP", "PASSWORD", "PATH"]);
        assert!(
            !output.stdout.contains("hunter2") && !output.stderr.contains("hunter2"),
            "{output:?}"
        );
        assert_eq!(output.stderr.trim(), "(masked)");
    }

    #[tokio::test(start_paused = true)]
    async fn its_whole_group_is_killed_when_its_time_is_up() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("child").display().to_string();
        let script = format!("(sleep 1; echo alive > {file}) & echo begun; wait");
        let failure = run_it(json!({"command": ["/bin/sh", "-c", script], "limit": "300ms"}))
            .await
            .unwrap_err();
        assert_eq!(failure.class, Class::TimedOut);
        std::thread::sleep(Duration::from_millis(1300));
        assert!(!dir.path().join("child").exists(), "a child of the command went on");
    }

    #[tokio::test(start_paused = true)]
    async fn what_fails_says_how_and_its_last_words() {
        let failure = run_it(json!({"command": ["/bin/sh", "-c", "echo no disk >&2; exit 3"]}))
            .await
            .unwrap_err();
        assert_eq!(failure.to_string(), "command /bin/sh ended with 3: no disk");
        let failure = run_it(json!({"command": ["/nowhere/at-all"]})).await.unwrap_err();
        assert!(failure.to_string().contains("could not be started"), "{failure}");
        let output =
            run_it(json!({"command": ["/bin/sh", "-c", "yes | head -c 100000"]})).await.unwrap();
        assert!(output.truncated && output.stdout.len() == KEPT);
    }

    /// One secret is written in two pieces, and another across the end of what is kept, or of what is read.
    #[tokio::test(start_paused = true)]
    async fn a_secret_in_two_pieces_or_across_the_end_is_masked_whole() {
        for (zeros, end) in [(16_361, "0(masked)"), (16_374, "0"), (16_380, "0"), (17_000, "0")] {
            let script = format!(
                "printf %s \"${{P%-hunter2}}\"; sleep 0.1; printf %s -hunter2; printf %0{zeros}d 0; echo $P"
            );
            let output = run_it(json!({
                "command": ["/bin/sh", "-c", script],
                "secrets": {"P": "secretsmanager:x"},
            }))
            .await
            .unwrap();
            let said = output.stdout.trim_end();
            assert!(said.starts_with("(masked)0") && said.ends_with(end), "{zeros}: {said}");
            assert!(output.stdout.len() <= KEPT && !said.contains('h'), "{zeros}: {said}");
        }
    }

    /// Somebody who leaves the group lives on, and holds the output open. Nobody waits for them.
    #[tokio::test(start_paused = true)]
    async fn one_that_left_the_group_does_not_hold_the_step_up() {
        let began = std::time::Instant::now();
        let script = "setsid sleep 20 & sleep 0.5; echo begun";
        let output = run_it(json!({"command": ["/bin/sh", "-c", script]})).await.unwrap();
        assert_eq!(output.stdout, "begun\n");
        assert!(output.truncated, "nobody knows what it says later");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    }

    /// A step that is stopped, as by a signal or a cancel, leaves no command behind.
    #[tokio::test]
    async fn a_step_that_is_stopped_kills_its_command() {
        let dir = tempfile::tempdir().unwrap();
        let (begun, ended) = (dir.path().join("begun"), dir.path().join("ended"));
        let script = format!("touch {}; sleep 1; touch {}", begun.display(), ended.display());
        let args = json!({"command": ["/bin/sh", "-c", script]});
        let step = run_it(args);
        let dropped = tokio::time::timeout(Duration::from_millis(500), step).await;
        assert!(dropped.is_err() && begun.exists(), "{dropped:?}");
        std::thread::sleep(Duration::from_millis(1200));
        assert!(!ended.exists(), "the command went on");
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_began_is_not_undone() {
        let folder = tempfile::tempdir().unwrap();
        let trace = folder.path().join("undone");
        let spec: Spec =
            testing::spec(json!({"command": ["/bin/true"], "undo": ["/usr/bin/touch", trace]}));
        let (env, mut cx) = (testing::env(Rules::default()), testing::cx("warm"));
        let (prepared, _) = Exec::prepare(&env, &spec, &cx).await.unwrap();
        cx.note = Some(json!({ "started": false }));
        assert_eq!(Exec::undo(&env, &spec, &prepared, &cx).await.unwrap(), Vec::<String>::new());
        assert!(!trace.exists());
        // Of one that began nobody knows how far it came.
        cx.note = Some(json!({ "started": true }));
        let did = Exec::undo(&env, &spec, &prepared, &cx).await.unwrap();
        assert!(did.len() == 1 && trace.exists(), "{did:?}");
    }
}

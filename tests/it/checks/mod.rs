//! Every check that is made before a run, in a form that it warns of and in one that it passes; and what comes when the
//! plan is ignored: the failure that was predicted, at the predicted step, or what was warned of.
//!
//! A check without both forms fails a test, and so does a finding by a name that the list does not know.

mod bucket;
mod exports;
mod gates;
mod group;
mod runbooks;
mod source;
mod swap;
mod target;

use std::collections::BTreeSet;

use orchestrate::cli::reading::read;
use orchestrate::engine::journal::{Record, Rest};
use orchestrate::engine::{End, Finding, Verdict};
use orchestrate::steps::checks;
use orchestrate_sandbox::{Fault, FaultKind, FaultPlan, Seed};

use crate::world::{Disturb, Done, RUN, SHIPPED, World, compiled, virtually, written};

/// One form of one check.
pub(crate) struct Row {
    pub(crate) check: &'static str,
    /// What this world is like.
    pub(crate) case: &'static str,
    /// The playbook.
    pub(crate) playbook: &'static str,
    /// What is replaced in it.
    pub(crate) edits: &'static [(&'static str, &'static str)],
    pub(crate) seed: fn(&mut Seed),
    /// The step that the finding is of, and what it is.
    pub(crate) found: (&'static str, Found),
    /// What comes of a run all the same.
    pub(crate) then: Then,
}

impl Default for Row {
    fn default() -> Self {
        Self {
            check: "",
            case: "as it should be",
            playbook: MIGRATION,
            edits: &[],
            seed: |_| {},
            found: ("snapshot", Found::Ok),
            then: Then::Goes(&[]),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing stands against it, and there is nothing to do.
    Ok,
    /// Nothing stands against it, and there is something to do.
    Note,
    CannotKnow,
    WillFail,
}

/// What comes of a run that nobody stops.
#[derive(Clone, Copy)]
pub(crate) enum Then {
    /// This step fails with these words; and AWS itself, asked for the export without this program, refuses with those.
    Fails { step: &'static str, words: &'static str, aws: Option<&'static str> },
    /// It succeeds, and journal and world show this.
    Goes(&'static [&'static str]),
    /// As it fails elsewhere it is rolled back, and journal and world show this.
    RollsBack(&'static [&'static str]),
}

/// Fails at this step with these words.
pub(crate) const fn fails(step: &'static str, words: &'static str) -> Then {
    Then::Fails { step, words, aws: None }
}

pub(crate) const MIGRATION: &str = "
playbook: v1
name: checked
steps:
  - id: freeze
    elasticache.freeze_writes: { replication_group: demo }
  - id: snapshot
    elasticache.create_snapshot: { replication_group: demo }
  - id: export
    elasticache.export_snapshot: { snapshot: '${{ steps.snapshot.name }}', bucket: demo-migration }
  - id: cluster
    memorydb.create_cluster:
      name: demo-mdb
      node_type: db.r7g.large
      acl: demo-acl
      engine: valkey
      engine_version: '7.3'
      restore_from: '${{ steps.export.objects }}'
  - id: switch
    endpoint.swap:
      to: '${{ steps.cluster.endpoint }}'
      targets: [{ ssm_parameter: /demo/redis/endpoint }]
";

/// The playbook accepts that writes are lost, for groups whose writers cannot be stopped.
pub(crate) const ACCEPTING: (&str, &str) = (
    "elasticache.freeze_writes: { replication_group: demo }",
    "elasticache.freeze_writes: { replication_group: demo, accept_lost_writes_of: demo }",
);

fn rows() -> Vec<Row> {
    [
        source::rows(),
        bucket::rows(),
        exports::rows(),
        gates::rows(),
        group::rows(),
        runbooks::rows(),
        swap::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn findings(world: &World) -> Vec<(String, Vec<Finding>)> {
    let run = RUN.parse().expect("a run id");
    read(&world.plan, &world.registry, &world.env.survey, &world.clock, &run).await
}

impl Row {
    fn text(&self) -> String {
        self.edits.iter().fold(self.playbook.to_owned(), |text, (from, to)| {
            assert!(
                text.contains(from),
                "{} ({}): no \"{from}\" to replace",
                self.check,
                self.case
            );
            text.replace(from, to)
        })
    }

    async fn holds(&self) -> Result<(), String> {
        let world = World::seeded(written(&self.text()), self.seed).await;
        let found = findings(&world).await;
        let changes = world.changes();
        if !changes.is_empty() {
            return Err(format!("reading changed something: {changes:?}"));
        }
        let (at, expected) = self.found;
        let of_step = found.iter().find(|(step, _)| step == at).map(|(_, found)| found.as_slice());
        let of_check = of_step.unwrap_or_default().iter().filter(|f| f.check == self.check);
        let Some(finding) = of_check.max_by_key(|finding| finding.verdict) else {
            return Err(format!("step {at} finds nothing by this name: {found:#?}"));
        };
        let seen = match (finding.verdict, finding.mend.is_some()) {
            (Verdict::Ok, false) => Found::Ok,
            (Verdict::Ok, true) => Found::Note,
            (Verdict::CannotKnow, true) => Found::CannotKnow,
            (Verdict::WillFail, true) => Found::WillFail,
            (_, false) => return Err(format!("nothing says what to do: {finding:?}")),
        };
        region_missing(finding)?;
        if seen != expected {
            return Err(format!("found {seen:?}, not {expected:?}: {finding:?}"));
        }
        self.comes_true(&world).await
    }

    async fn comes_true(&self, world: &World) -> Result<(), String> {
        if let Then::Fails { aws: Some(words), .. } = self.then {
            let said = refusal(world).await;
            if !said.contains(words) {
                return Err(format!("AWS does not say \"{words}\" but \"{said}\""));
            }
        }
        if let Then::RollsBack(_) = self.then {
            let denied = Fault::new("memorydb", "CreateCluster", FaultKind::Denied);
            world.sandbox.set_faults(FaultPlan::of([denied]));
        }
        let done = world.run(&Disturb::default()).await;
        match self.then {
            Then::Fails { step, words, .. } => match failed(&done) {
                Some((at, said)) if at == step && said.contains(words) => Ok(()),
                other => Err(format!("not \"{words}\" at {step}, but {other:?}\n{}", done.story())),
            },
            Then::Goes(words) => {
                if done.end != End::Rest(Rest::Succeeded) {
                    return Err(format!("ended as {:?}\n{}", done.end, done.story()));
                }
                shows(world, &done, words)
            }
            Then::RollsBack(words) => {
                if done.end != End::Rest(Rest::RolledBack) {
                    return Err(format!("ended as {:?}\n{}", done.end, done.story()));
                }
                shows(world, &done, words)
            }
        }
    }
}

/// A command that is pasted must not depend on the region of whoever pastes it. S3 and Route 53 find theirs.
pub(crate) fn region_missing(finding: &Finding) -> Result<(), String> {
    let mend = finding.mend.as_deref().unwrap_or_default();
    for line in mend.lines() {
        let regional = ["elasticache", "memorydb", "ssm", "secretsmanager", "kms", "ec2", "sns"];
        let here = |service| line.matches(&format!("aws {service} ")).count();
        let commands: usize = regional.iter().map(here).sum();
        if line.matches("--region ").count() < commands {
            return Err(format!("no --region in: {line}"));
        }
    }
    Ok(())
}

/// The step that failed for good, and why.
fn failed(done: &Done) -> Option<(String, String)> {
    done.journal.entries().into_iter().find_map(|entry| match entry.record {
        Record::Failed { step, failure } => {
            Some((step, format!("{failure} {}", failure.mend.clone().unwrap_or_default())))
        }
        _ => None,
    })
}

fn shows(world: &World, done: &Done, words: &[&str]) -> Result<(), String> {
    let journal = serde_json::to_string(&done.journal.entries()).expect("a journal is JSON");
    let told = format!("{journal}\n{}", world.sandbox.world());
    match words.iter().find(|words| !told.contains(**words)) {
        None => Ok(()),
        Some(words) => Err(format!("nothing shows {words}\n{told}")),
    }
}

/// What AWS says to an export of the group into the bucket, to whoever asks for it without looking first. The snapshot
/// for it is left behind.
async fn refusal(world: &World) -> String {
    let request = world.aws.elasticache.create_snapshot().snapshot_name("by-hand");
    request.replication_group_id("demo").send().await.expect("a snapshot");
    world.clock.sleep(std::time::Duration::from_secs(600)).await;
    let request = world.aws.elasticache.copy_snapshot().source_snapshot_name("by-hand");
    let answer = request.target_snapshot_name("moved").target_bucket("demo-migration").send().await;
    let error = answer.expect_err("the export is refused").into_service_error();
    error.meta().message().unwrap_or_default().to_owned()
}

/// All rows of an area, so that one look shows everything that does not hold.
fn hold(rows: Vec<Row>) {
    let mut problems = Vec::new();
    for row in &rows {
        if let Err(problem) = virtually(row.holds()) {
            problems.push(format!("{} ({}): {problem}", row.check, row.case));
        }
    }
    assert!(
        problems.is_empty(),
        "{} of {}:\n{}",
        problems.len(),
        rows.len(),
        problems.join("\n\n")
    );
}

#[test]
fn what_is_found_of_a_source_is_what_comes() {
    hold(source::rows());
}

#[test]
fn what_is_found_of_a_bucket_is_what_comes() {
    hold(bucket::rows());
}

#[test]
fn what_is_found_of_a_gate_is_what_comes() {
    hold(gates::rows());
    hold(runbooks::rows());
}

#[test]
fn what_is_found_of_a_group_that_is_changed_is_what_comes() {
    hold(group::rows());
}

#[test]
fn what_is_found_of_a_swap_is_what_comes() {
    hold(swap::rows());
}

#[test]
fn what_is_found_of_an_export_is_what_comes() {
    hold(exports::rows());
}

/// Checks that no world of these rows brings to a finding: `validate` refuses such arguments before anything is read; and
/// exports are there only after a run.
const BY_HAND: [&str; 2] = ["arguments", "export.newest"];

#[test]
fn a_drill_finds_out_before_the_run_that_there_is_nothing_to_restore() {
    virtually(async {
        let newest = |found: Vec<(String, Vec<Finding>)>| {
            let mut all = found.into_iter().flat_map(|(_, found)| found);
            all.find(|finding| finding.check == "export.newest").expect("it is looked for")
        };
        let ready = World::before("restore-drill").await;
        assert_eq!(newest(findings(&ready).await).verdict, Verdict::Ok);
        let world = World::for_plan(compiled("restore-drill", serde_json::Map::new())).await;
        let finding = newest(findings(&world).await);
        assert_eq!(finding.verdict, Verdict::WillFail);
        assert!(finding.mend.is_some(), "{finding:?}");
        let (step, said) = failed(&world.run(&Disturb::default()).await).expect("it fails");
        assert_eq!(step, "newest");
        assert!(said.contains("has no verified export"), "{said}");
    });
}

/// Checks of what a server itself refuses: in `plans`, on real ones.
const BY_SERVERS: [&str; 2] = ["compare.login", "compare.rights"];

#[test]
fn every_check_has_a_row_that_it_passes_and_one_that_it_does_not() {
    let rows = rows();
    let of = |check: &str, passes: bool| {
        rows.iter().any(|row| row.check == check && (row.found.1 == Found::Ok) == passes)
    };
    // Those of the target and of the caller have tests of their own.
    let elsewhere = |name: &str| name.starts_with("target.") || name.starts_with("caller.");
    let here =
        |name: &&str| !BY_HAND.contains(name) && !BY_SERVERS.contains(name) && !elsewhere(name);
    let names = checks::ALL.iter().map(|(name, _)| *name).filter(here);
    let missing: Vec<&str> = names.filter(|name| !of(name, true) || !of(name, false)).collect();
    assert!(missing.is_empty(), "no rows for {missing:?}");
    let listed = |check: &str| checks::ALL.iter().any(|(name, _)| *name == check);
    let unknown: Vec<&str> = rows.iter().map(|r| r.check).filter(|c| !listed(c)).collect();
    assert!(unknown.is_empty(), "rows for checks that do not exist: {unknown:?}");
}

/// The check that no playbook reaches, with arguments as an older saved plan might hold them.
#[test]
fn arguments_that_a_step_would_refuse_are_found_before() {
    virtually(async {
        use orchestrate::engine::{Clock, Cx, Kinds, Ledger};
        let world = World::before("quickstart").await;
        for (kind, good, bad) in [
            ("pause", serde_json::json!({"for": "10m"}), serde_json::json!({"for": "soon"})),
            (
                "s3.delete_objects",
                serde_json::json!({"objects": ["arn:aws:s3:::b/k-0001.rdb"]}),
                serde_json::json!({"objects": ["s3://b/k"]}),
            ),
        ] {
            let kind = world.registry.kind(kind).expect("the kind");
            let clock: Clock = world.clock.clone();
            let ledger = std::rc::Rc::new(Ledger::none(clock.clone(), std::rc::Rc::new(|_| {})));
            let cx = Cx::reading(RUN.parse().expect("a run id"), "step", ledger, clock);
            assert_eq!(kind.preflight(&good, &cx).await, []);
            let found = kind.preflight(&bad, &cx).await;
            assert_eq!((&*found[0].check, found[0].verdict), ("arguments", Verdict::WillFail));
            let failure = kind.prepare(&bad, &cx).await.expect_err("it is refused");
            assert_eq!(failure.to_string(), found[0].what);
        }
    });
}

/// On a healthy account nothing is left to say, and each finding has a name that the list knows.
#[test]
fn a_healthy_account_passes_every_check_of_the_shipped_playbooks() {
    virtually(async {
        let mut seen: BTreeSet<String> = BTreeSet::new();
        for name in SHIPPED.into_iter().filter(|name| !name.starts_with("cleanup-")) {
            let world = World::before(name).await;
            let made = world.changes().len();
            for (step, found) in findings(&world).await {
                for finding in found {
                    assert_eq!(finding.verdict, Verdict::Ok, "{name}: {step}: {finding:?}");
                    seen.insert(finding.check.into_owned());
                }
            }
            assert_eq!(world.changes().len(), made);
        }
        assert!(seen.len() > 25, "{seen:?}");
    });
}

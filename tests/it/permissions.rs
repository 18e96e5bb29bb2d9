//! What `ACTIONS` declare is what the kinds need: enough to run and to roll back, and nothing that could be left out.
//!
//! The sandbox holds the caller to the policy that `orchestrate iam` prints. Scenarios together make every call that a
//! playbook can make; each grant is then taken away, and the step that it was for must say so.

use std::collections::{BTreeMap, BTreeSet};

use orchestrate::cli::reading::read_step;
use orchestrate::engine::journal::{Record, Rest};
use orchestrate::engine::{End, Finding, Inject, Kinds, RunId, Strike};
use orchestrate::permissions::{Grant, Kind, Place, grants, policies, simulator_statement};
use orchestrate::plan::Plan;
use orchestrate::steps::{declared, permissions_findings};
use orchestrate_sandbox::{Caller, Fault, FaultKind, FaultPlan, Permission, Policy, Seed};
use serde_json::{Map, Value};

use crate::harness::{roll_back, run, succeeded};
use crate::tap::{At, Marked};
use crate::world::{Disturb, Done, RUN, World, all_playbooks, compiled, hurry, virtually};

const ACCOUNT: &str = "123456789012";

/// Grants whose lack shows in no scenario, and why they are declared all the same.
const UNSEEN: [(&str, &str); 11] = [
    ("s3:GetObjectVersion", VERSIONS),
    ("s3:DeleteObjectVersion", VERSIONS),
    ("s3:GetObjectRetention", VERSIONS),
    ("s3:GetObjectLegalHold", VERSIONS),
    ("memorydb:DescribeReservedNodesOfferings", "asked only about a node type that no page lists"),
    ("memorydb:DescribeParameters", "asked only where the source's parameters were read"),
    ("elasticache:DescribeReplicationGroups", GROUPS),
    ("elasticache:DescribeCacheClusters", GROUPS),
    ("elasticache:DescribeCacheParameters", GROUPS),
    ("elasticache:DescribeCacheSubnetGroups", GROUPS),
    ("elasticache:DescribeSnapshots", GROUPS),
];
/// The same, in one playbook alone: playbook, action, why.
const UNSEEN_IN: [(&str, &str, &str); 1] = [(
    "scale-memorydb",
    "memorydb:DescribeEvents",
    "asked only where a cluster ends in a state that no change of one ends in here",
)];
const VERSIONS: &str = "asked only of a bucket that keeps versions or locks them";
const GROUPS: &str =
    "a new cluster is held against a replication group; a serverless cache has none of it";

fn place() -> Place {
    Place::new(Some("us-east-1"), Some(ACCOUNT))
}

pub(crate) fn needed(plan: &Plan) -> Vec<Grant> {
    grants(plan, &|kind| declared(kind), &place())
}

/// The policies that `orchestrate iam` prints for these grants, as the sandbox reads them.
fn emitted(grants: &[Grant]) -> Vec<Policy> {
    let documents = policies(grants, vec![simulator_statement(None, &place())]);
    let read = |document: &orchestrate::permissions::Policy| {
        let policy = Policy::parse(&document.json().to_string()).expect("IAM takes it");
        assert_eq!(policy.unweighed(), Vec::<String>::new());
        policy
    };
    documents.iter().map(read).collect()
}

pub(crate) fn hold(world: &World, grants: &[Grant]) {
    world.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, emitted(grants))]);
}

/// A way through a playbook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Scenario {
    /// The looks before the run.
    Plan,
    /// Every step twice, then every undo twice: what was made is adopted, and removed once.
    Through,
    /// The same without cluster mode at the source: snapshots are taken of a node.
    OneNode,
    /// There is no automatic snapshot to export.
    NoAutomatic,
    /// The source's snapshot fails.
    SnapshotFails,
    /// The export fails.
    ExportFails,
    /// The new cluster fails, in an account that never used MemoryDB.
    ClusterFails,
    /// The new cluster is the account's first.
    FirstUse,
}

/// Kinds that export an automatic snapshot, or take one.
const EXPORTS: [&str; 3] =
    ["elasticache.export_latest", "elasticache.export_fleet", "memorydb.export_snapshot"];

const SCENARIOS: [Scenario; 8] = [
    Scenario::Plan,
    Scenario::Through,
    Scenario::OneNode,
    Scenario::NoAutomatic,
    Scenario::FirstUse,
    Scenario::SnapshotFails,
    Scenario::ExportFails,
    Scenario::ClusterFails,
];

impl Scenario {
    /// The world it begins in; nothing if the playbook has no such way.
    async fn world(self, name: &str) -> Option<World> {
        let exports = EXPORTS.iter().any(|kind| {
            name != "restore-drill"
                && !name.starts_with("cleanup-")
                && compiled(name, Map::new()).steps().any(|step| step.kind == *kind)
        });
        let changed = matches!(self, Self::OneNode | Self::FirstUse | Self::NoAutomatic)
            || (exports && self == Self::SnapshotFails);
        let uses = |kind: &str| {
            !name.starts_with("cleanup-")
                && compiled(name, Map::new()).steps().any(|step| step.kind == kind)
        };
        match self {
            Self::OneNode if name == "scheduled-export-memorydb" => return None,
            Self::OneNode if !uses("elasticache.create_snapshot") && !exports => return None,
            Self::NoAutomatic if !exports => return None,
            Self::FirstUse if name == "restore-drill" => return None,
            Self::FirstUse if !uses("memorydb.create_cluster") => return None,
            Self::ClusterFails
                if !uses("memorydb.create_cluster")
                    && !uses("elasticache.create_replication_group") =>
            {
                return None;
            }
            Self::SnapshotFails
                if !uses("elasticache.create_snapshot")
                    && !exports
                    && !uses("memorydb.create_snapshot")
                    && !uses("elasticache.create_serverless_snapshot")
                    && !uses("elasticache.export_serverless") =>
            {
                return None;
            }
            Self::ExportFails
                if !uses("elasticache.export_snapshot")
                    && !exports
                    && !uses("memorydb.copy_snapshot")
                    && !uses("elasticache.export_serverless_snapshot")
                    && !uses("elasticache.export_serverless") =>
            {
                return None;
            }
            _ => {}
        }
        if !changed {
            return Some(World::before(name).await);
        }
        let change = |seed: &mut Seed| match self {
            Self::OneNode => {
                for group in &mut seed.replication_groups {
                    (group.cluster_mode, group.shards) = (false, 1);
                    group.automatic_snapshots.clear();
                }
            }
            Self::NoAutomatic | Self::SnapshotFails => {
                let groups = seed.replication_groups.iter_mut();
                groups.for_each(|group| group.automatic_snapshots.clear());
                let clusters = seed.clusters.iter_mut();
                clusters.for_each(|cluster| cluster.automatic_snapshots.clear());
            }
            _ => seed.memorydb_first_use = true,
        };
        Some(World::seeded(compiled(name, Map::new()), change).await)
    }

    /// Goes it, and gives all that a person could read of it.
    async fn go(self, world: &World) -> Told {
        let failing = |operation: &str, service: &str, state: &str| {
            let kind = FaultKind::TerminalState {
                state: state.to_owned(),
                reason: "the disk of the sandbox is imaginary, so it failed".to_owned(),
            };
            // A fleet tries its members again and tells of those that fail for good.
            let fleet = world.plan.steps().any(|step| step.kind == "elasticache.export_fleet");
            let fault = Fault::new(service, operation, kind).times(if fleet { 10 } else { 1 });
            world.sandbox.set_faults(FaultPlan::of([fault]));
        };
        match self {
            Self::Plan => return Told::findings(preflight(world).await),
            Self::ExportFails if world.plan.steps().any(|s| s.kind.contains("serverless")) => {
                failing("ExportServerlessCacheSnapshot", "elasticache", "failed");
            }
            Self::SnapshotFails if world.plan.steps().any(|s| s.kind.contains("serverless")) => {
                failing("CreateServerlessCacheSnapshot", "elasticache", "failed");
            }
            Self::SnapshotFails => failing("CreateSnapshot", "*", "failed"),
            Self::ExportFails => failing("CopySnapshot", "*", "failed"),
            Self::ClusterFails if world.plan.steps().any(|s| s.kind.contains("create_rep")) => {
                failing("CreateReplicationGroup", "elasticache", "create-failed");
            }
            Self::ClusterFails => failing("CreateCluster", "memorydb", "restore-failed"),
            Self::Through | Self::OneNode | Self::NoAutomatic | Self::FirstUse => {}
        }
        let marked = Marked::new(&world.registry);
        let kinds: Option<&dyn Kinds> = Some(&marked);
        let inject = Inject { execute_twice: true, ..Inject::default() };
        let done = world.run(&Disturb { inject, kinds, ..Disturb::default() }).await;
        let mut told = Told::run(&done);
        if done.end == End::Rest(Rest::Succeeded) {
            let inject = Inject { undo_twice: true, ..Inject::default() };
            let asked = orchestrate::engine::journal::RollbackReason::Asked {
                by: "tester".to_owned(),
                past_pivot: true,
            };
            let disturb = Disturb { inject, kinds, ..Disturb::default() };
            let more = vec![Record::RollbackStarted { reason: asked }];
            let back = world.take_up(&done, more, &disturb).await;
            told = Told::run(&back);
        }
        told
    }
}

/// What was said of each step, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    by_step: BTreeMap<String, Vec<String>>,
    end: String,
}

impl Told {
    fn findings(findings: Vec<(String, Vec<Finding>)>) -> Self {
        let words = |finding: Finding| {
            let mend = finding.mend.unwrap_or_default();
            plain(&format!("{:?}: {} {mend}", finding.verdict, finding.what))
        };
        let by_step = findings
            .into_iter()
            .map(|(step, findings)| (step, findings.into_iter().map(words).collect()))
            .collect();
        Self { by_step, end: String::new() }
    }

    fn run(done: &Done) -> Self {
        let mut by_step: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for entry in done.journal.entries() {
            // A fleet tells of its members in what it gives.
            if let Record::Succeeded { step, output, .. } = &entry.record {
                for failed in output["failed"].as_array().into_iter().flatten() {
                    let words = by_step.entry(step.clone()).or_default();
                    words.push(plain(&failed.to_string()));
                }
            }
            let (Record::AttemptFailed { step, failure, .. }
            | Record::Failed { step, failure }
            | Record::UndoAttemptFailed { step, failure, .. }
            | Record::UndoFailed { step, failure }) = entry.record
            else {
                continue;
            };
            let mend = failure.mend.clone().unwrap_or_default();
            by_step.entry(step).or_default().push(plain(&format!("{failure} {mend}")));
        }
        Self { by_step, end: format!("{:?}", done.end) }
    }
}

/// Without request ids, which differ as soon as one call more is made.
fn plain(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(" (request ") {
        out.push_str(before);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    out + rest
}

/// Step by step, and nothing is remembered in between: each step's own looks are its own.
async fn preflight(world: &World) -> Vec<(String, Vec<Finding>)> {
    let run: RunId = RUN.parse().expect("a run id");
    let marked = Marked::new(&world.registry);
    let mut findings = Vec::new();
    for step in world.plan.steps() {
        world.env.survey.begin();
        let found = read_step(&world.plan, step, &marked, &world.clock, &run).await;
        findings.push((step.id.clone(), found));
    }
    findings
}

/// A permission that a step needed, and who needed it.
struct Needed {
    at: At,
    permission: Permission,
    operation: String,
    refused: bool,
}

/// Every permission that the steps needed since `from`, each once.
fn log(world: &World, from: usize) -> Vec<Needed> {
    let calls = world.sandbox.calls().into_iter().skip(from);
    let mut seen = BTreeSet::new();
    calls
        .filter_map(|call| Some((world.tap.of(&call.request_id)?, call)))
        .flat_map(|(at, call)| {
            let refused = matches!(&call.outcome, orchestrate_sandbox::Outcome::Error(code) if code.starts_with("AccessDenied"));
            let operation = call.operation;
            call.needs.into_iter().map(move |permission| Needed {
                at: at.clone(),
                permission,
                operation: operation.clone(),
                refused,
            })
        })
        .filter(|need| {
            let Needed { at, permission, operation, refused } = need;
            let Permission { action, resource, .. } = permission;
            let (step, phase) = (&at.step, at.phase.to_string());
            seen.insert(format!("{step} {phase} {action} {resource} {operation} {refused}"))
        })
        .collect()
}

#[test]
fn with_the_emitted_policy_every_playbook_runs_and_rolls_back() {
    for name in all_playbooks() {
        virtually(async {
            let world = World::before(name).await;
            hold(&world, &needed(&world.plan));
            let denied = preflight(&world).await.into_iter().flat_map(|(_, findings)| findings);
            let denied: Vec<_> = denied.filter(|f| f.what.contains("not authorized")).collect();
            assert_eq!(denied, [], "{name}");
            let done = run(&world, Inject::default(), None).await;
            succeeded(&done).unwrap_or_else(|e| panic!("{name}: {e}"));
            let back = roll_back(&world, &done, Inject::default(), None).await;
            assert_eq!(back.end, End::Rest(Rest::RolledBack), "{name}\n{}", back.story());

            let world = World::before(name).await;
            hold(&world, &needed(&world.plan));
            let last = world.plan.steps().last().expect("a step").id.clone();
            let inject = Inject { fail: Some((last, Strike::AfterExecute)), ..Inject::default() };
            let done = run(&world, inject, None).await;
            assert_eq!(done.end, End::Rest(Rest::RolledBack), "{name}\n{}", done.story());
        });
    }
}

/// Everything a kind calls for, in any phase, is among its own declarations for that phase.
#[test]
fn a_kind_needs_nothing_that_it_does_not_declare() {
    hurry(20.0);
    let mut wrong = BTreeSet::new();
    for name in all_playbooks() {
        for scenario in SCENARIOS {
            virtually(async {
                let Some(world) = scenario.world(name).await else { return };
                hold(&world, &needed(&world.plan));
                let from = world.sandbox.calls().len();
                scenario.go(&world).await;
                let own = own_grants(&world.plan);
                for need in log(&world, from) {
                    // A page of everything is asked for once; where it is refused, waits ask by name. Another kind of
                    // the same plan may be allowed it.
                    let page = need.operation.starts_with("Describe")
                        && need.permission.resource.ends_with('*');
                    if !page && !is_declared(&own, &need) {
                        let Permission { action, resource, .. } = &need.permission;
                        wrong.insert(format!(
                            "{} needs {action} on {resource} to {} ({})",
                            need.at.kind, need.at.phase, need.operation
                        ));
                    }
                }
            });
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A grant and the policy of it alone.
struct Own {
    grant: Grant,
    policies: Vec<Policy>,
}

impl Own {
    fn of(grant: Grant) -> Self {
        Self { policies: emitted(std::slice::from_ref(&grant)), grant }
    }

    fn allows(&self, permission: &Permission) -> bool {
        self.grant.action.eq_ignore_ascii_case(&permission.action)
            && self.policies.iter().any(|policy| policy.allows(permission))
    }
}

/// What each kind of a plan declares for its own steps.
fn own_grants(plan: &Plan) -> BTreeMap<String, Vec<Own>> {
    let kinds: BTreeSet<String> = plan.steps().map(|step| step.kind.clone()).collect();
    let of = |kind: String| {
        let own = |name: &str| {
            let declared = declared(name)?;
            Some(if name == kind { declared } else { Kind { actions: &[], ..declared } })
        };
        let own = grants(plan, &own, &place()).into_iter().map(Own::of).collect();
        (kind, own)
    };
    kinds.into_iter().map(of).collect()
}

fn is_declared(own: &BTreeMap<String, Vec<Own>>, need: &Needed) -> bool {
    own[&need.at.kind].iter().any(|own| {
        own.grant.steps.contains(&need.at.step)
            && own.grant.phases.has(need.at.phase)
            && own.allows(&need.permission)
    })
}

/// What `memorydb.create_cluster` looks at in the plan alone, to hold the target against its source. The source of a drill
/// is an export that only the run finds, so that its plan looks at none of it. And what an account's first cluster needs: a
/// migration is tried with that.
const OF_A_SOURCE: [&str; 9] = [
    "iam:CreateServiceLinkedRole",
    "memorydb:DescribeUsers",
    "cloudwatch:GetMetricData",
    "elasticache:DescribeUserGroups",
    "elasticache:DescribeUsers",
    "s3:GetBucketLocation",
    "s3:GetEncryptionConfiguration",
    "s3:GetBucketPolicy",
    "s3:GetBucketAcl",
];

/// Takes one grant after another away from a playbook's policy; gives what does not come out.
fn without_each(name: &str) -> Vec<String> {
    // How long something takes has no bearing on who may do it.
    hurry(20.0);
    let mut problems = Vec::new();
    let mut used: BTreeMap<usize, Scenario> = BTreeMap::new();
    let mut usual: BTreeMap<Scenario, Told> = BTreeMap::new();
    let mut all = Vec::new();
    for scenario in SCENARIOS {
        virtually(async {
            let Some(world) = scenario.world(name).await else { return };
            all = needed(&world.plan);
            hold(&world, &all);
            let from = world.sandbox.calls().len();
            usual.insert(scenario, scenario.go(&world).await);
            let log = log(&world, from);
            for (index, grant) in all.iter().enumerate() {
                if used.contains_key(&index) {
                    continue;
                }
                let own = Own::of(grant.clone());
                if log.iter().any(|need| own.allows(&need.permission)) {
                    used.insert(index, scenario);
                }
            }
        });
    }
    for (index, grant) in all.iter().enumerate() {
        let what = format!("{name}: {} on {}", grant.action, grant.resource);
        let here = |(of, action, _): &(&str, &str, &str)| *of == name && *action == grant.action;
        let of_a_source = name == "restore-drill" && OF_A_SOURCE.contains(&grant.action.as_str());
        let excused = of_a_source
            || UNSEEN.iter().any(|(action, _)| *action == grant.action)
            || UNSEEN_IN.iter().any(here);
        let Some(scenario) = used.get(&index) else {
            if !excused {
                problems.push(format!("{what}: no scenario needs it"));
            }
            continue;
        };
        virtually(async {
            let world = scenario.world(name).await.expect("it was there before");
            let mut rest = all.clone();
            rest.remove(index);
            hold(&world, &rest);
            let told = scenario.go(&world).await;
            let words: Vec<&String> = grant
                .steps
                .iter()
                .filter(|step| told.by_step.get(*step) != usual[scenario].by_step.get(*step))
                .flat_map(|step| told.by_step.get(step).into_iter().flatten())
                .collect();
            let names_it =
                |words: &&&String| words.to_lowercase().contains(&grant.action.to_lowercase());
            if words.is_empty() && of_a_source {
                return;
            }
            if words.is_empty() {
                problems.push(format!("{what}: {scenario:?} goes as with it\n{told:#?}"));
            } else if !words.iter().any(|words| names_it(&words)) {
                problems.push(format!("{what}: {scenario:?} does not name it: {words:#?}"));
            }
        });
    }
    problems
}

macro_rules! without_each {
    ($($test:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $test() {
                let problems = without_each($name);
                assert!(problems.is_empty(), "{}", problems.join("\n"));
            }
        )*

        #[test]
        fn every_playbook_is_tried_without_each_of_its_permissions() {
            let tried: Vec<&str> = vec![$($name),*];
            let all: Vec<&str> = all_playbooks().collect();
            assert_eq!(tried, all);
        }
    };
}

without_each! {
    the_quickstart_says_which_permission_is_missing: "quickstart",
    the_migration_says_which_permission_is_missing: "elasticache-to-memorydb",
    the_approved_migration_says_which_permission_is_missing: "elasticache-to-memorydb-approved",
    the_serverless_migration_says_which_permission_is_missing: "serverless-to-memorydb",
    provisioning_says_which_permission_is_missing: "provision-memorydb",
    scaling_says_which_permission_is_missing: "scale-memorydb",
    the_clean_up_says_which_permission_is_missing: "cleanup-migration",
    the_serverless_clean_up_says_which_permission_is_missing: "cleanup-serverless-migration",
    the_failover_drill_says_which_permission_is_missing: "failover-drill",
    scaling_a_group_says_which_permission_is_missing: "scale",
    the_engine_upgrade_says_which_permission_is_missing: "engine-upgrade",
    parking_says_which_permission_is_missing: "park",
    unparking_says_which_permission_is_missing: "unpark",
    decommissioning_says_which_permission_is_missing: "decommission-source",
    an_export_says_which_permission_is_missing: "scheduled-export",
    a_memorydb_export_says_which_permission_is_missing: "scheduled-export-memorydb",
    a_fleet_says_which_permission_is_missing: "export-fleet",
    a_drill_says_which_permission_is_missing: "restore-drill",
    freezing_and_thawing_say_which_permission_is_missing: "freeze-and-thaw",
    creating_and_deleting_say_which_permission_is_missing: "create-and-delete",
    commands_say_which_permission_is_missing: "commands",
    gates_say_which_permission_is_missing: "gate",
    members_say_which_permission_is_missing: "members",
    lanes_say_which_permission_is_missing: "several",
    changes_say_which_permission_is_missing: "changes",
    a_manual_export_says_which_permission_is_missing: "export-manual",
    a_serverless_export_says_which_permission_is_missing: "export-serverless",
    memorydb_snapshots_say_which_permission_is_missing: "memorydb-snapshots",
}

/// The simulator sees before the run what the run would meet.
#[test]
fn the_simulator_tells_beforehand_what_is_missing() {
    virtually(async {
        let world = World::before("quickstart").await;
        let all = needed(&world.plan);
        hold(&world, &all);
        let findings = permissions_findings(&world.env, &world.plan).await;
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].verdict, orchestrate::engine::Verdict::Ok, "{findings:#?}");

        for grant in &all {
            let rest: Vec<Grant> = all.iter().filter(|g| *g != grant).cloned().collect();
            hold(&world, &rest);
            let findings = permissions_findings(&world.env, &world.plan).await;
            assert_eq!(findings.len(), 1, "{findings:#?}");
            let finding = &findings[0];
            // Of these AWS says that they know no resources: without the statement they are denied.
            let bare = ["s3:ListAllMyBuckets", "ssm:DescribeParameters"];
            assert!(!bare.contains(&grant.action.as_str()) || grant.telling, "{grant:?}");
            let sure = grant.helps.is_none() && grant.telling;
            let expected = match sure {
                true => orchestrate::engine::Verdict::WillFail,
                false => orchestrate::engine::Verdict::CannotKnow,
            };
            assert_eq!(finding.verdict, expected, "{finding:#?}");
            assert!(finding.what.contains(&grant.action), "{finding:#?}");
            assert!(finding.what.contains(&grant.resource), "{finding:#?}");
            // What is to be pasted is the very statement that is missing.
            let mend = finding.mend.as_deref().unwrap_or_default();
            let (_, statement) = mend.split_once(": {").expect("a statement");
            let statement: Value =
                serde_json::from_str(&format!("{{{statement}")).expect("it is JSON");
            assert_eq!(statement["Action"][0], Value::from(grant.action.as_str()));
            assert_eq!(statement["Resource"][0], Value::from(grant.resource.as_str()));
        }
    });
}

#[test]
fn a_caller_who_may_not_ask_the_simulator_is_told_how_to_find_out() {
    virtually(async {
        let world = World::before("quickstart").await;
        let documents = policies(&needed(&world.plan), Vec::new());
        let read = |d: &orchestrate::permissions::Policy| {
            Policy::parse(&d.json().to_string()).expect("a policy")
        };
        let policies = documents.iter().map(read).collect();
        world.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, policies)]);
        let findings = permissions_findings(&world.env, &world.plan).await;
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].verdict, orchestrate::engine::Verdict::CannotKnow);
        assert!(findings[0].what.contains("iam:SimulatePrincipalPolicy"), "{findings:#?}");
        let mend = findings[0].mend.as_deref().unwrap_or_default();
        assert!(mend.contains("orchestrate iam"), "{mend}");
    });
}

/// The tools that people write policies by hand with: a Deny that matches is told as such.
#[test]
fn an_explicit_deny_is_not_mended_by_an_allow() {
    virtually(async {
        let world = World::before("quickstart").await;
        let mut policies = emitted(&needed(&world.plan));
        let deny =
            r#"{"Statement": {"Effect": "Deny", "Action": "memorydb:Delete*", "Resource": "*"}}"#;
        policies.push(Policy::parse(deny).expect("a policy"));
        world.sandbox.set_callers(vec![Caller::everybody(ACCOUNT, policies)]);
        let findings = permissions_findings(&world.env, &world.plan).await;
        let told: Vec<_> = findings.iter().map(|f| (f.verdict, f.what.as_str())).collect();
        assert_eq!(told.len(), 1, "{findings:#?}");
        assert!(
            told[0].1.contains("a policy denies") && told[0].1.contains("rollback"),
            "{told:?}"
        );
        let mend = findings[0].mend.as_deref().unwrap_or_default();
        assert!(mend.contains("Deny"), "{mend}");
    });
}

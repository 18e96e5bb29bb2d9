//! The playbook itself.

use super::choose::{Acl, Choice, slug};
use super::found::{Found, Source};
use super::places::{Form, Switched};
use super::text::{Page, argument, arguments, literal};
use super::{Kinds, Options, Written};

/// The longest name that a playbook may have.
const LONGEST_NAME: usize = 40;

pub(super) fn write(
    page: &mut Page,
    found: &Found,
    options: &Options,
    kinds: Kinds,
    written: &Written,
) {
    page.line("playbook: v1");
    let name = slug(&format!("move-{}", found.source.name()), LONGEST_NAME);
    page.entry(0, "name", &name, "");
    let description = format!(
        "Move ElastiCache {} {} to MemoryDB cluster {} by snapshot.",
        found.source.what(),
        found.source.name(),
        written.choice.name.value
    );
    page.entry(0, "description", &literal(&description), "");
    page.gap();
    page.comment(0, "The account and region that were read. It runs nowhere else.");
    page.line("guard:");
    page.entry(2, "account", &format!("\"{}\"", found.account), "");
    page.entry(2, "region", &argument(&found.region), "");
    page.gap();
    inputs(page, found, options, written);
    page.gap();
    page.line("steps:");
    freeze(page, found);
    copy(page, &found.source, kinds, &written.choice);
    cluster(page, found, written);
    compare(page, &found.source, written, options);
    approve(page, options);
    switch(page, written);
    page.gap();
    page.comment(0, "What a clean-up playbook takes with `--inputs-from <run>`.");
    page.line("outputs:");
    page.entry(2, "endpoint", "\"${{ steps.cluster.endpoint }}\"", "");
    page.entry(2, "snapshot", "\"${{ steps.snapshot.name }}\"", "");
    page.entry(2, "export_objects", "\"${{ steps.export.objects }}\"", "");
}

/// One input.
struct Input<'a> {
    name: &'a str,
    description: String,
    default: Option<String>,
    example: Option<String>,
    why: &'a str,
}

fn inputs(page: &mut Page, found: &Found, options: &Options, written: &Written) {
    let name = &written.choice.name.value;
    page.comment(0, "What reading the account could not tell.");
    page.line("inputs:");
    input(
        page,
        &Input {
            name: "bucket",
            description:
                "The S3 bucket that the export goes through, in the same region and account."
                    .to_owned(),
            default: options.bucket.clone(),
            example: Some("acme-redis-migration".to_owned()),
            why: "as asked for",
        },
    );
    let same = found.same_subnets();
    input(
        page,
        &Input {
            name: "subnet_group",
            description: "The MemoryDB subnet group.".to_owned(),
            default: Some(same.unwrap_or(name).to_owned()),
            example: None,
            why: if same.is_some() {
                "it has the source's subnets"
            } else {
                "to be made: see TO MAKE FIRST"
            },
        },
    );
    if let Acl::Own(acl) = &written.choice.acl.value {
        input(
            page,
            &Input {
                name: "acl",
                description: "The MemoryDB ACL with the users that applications log in as."
                    .to_owned(),
                default: Some(acl.clone()),
                example: None,
                why: "to be made: see USERS",
            },
        );
    }
    if written.parameters.own_group() {
        input(
            page,
            &Input {
                name: "parameter_group",
                description: "The MemoryDB parameter group.".to_owned(),
                default: Some(name.clone()),
                example: None,
                why: "to be made: see PARAMETERS",
            },
        );
    }
    if found.source.user_groups().is_empty() {
        let source = found.source.name();
        input(
            page,
            &Input {
                name: "accept_lost_writes_of",
                description: format!(
                    "The source has no RBAC users whose writes could be stopped. Stop the writers yourself, then write {source} here: writes made after the snapshot are LOST, and you accept that."
                ),
                default: None,
                example: Some(source.to_owned()),
                why: "",
            },
        );
    }
    if written.targets.switched.is_empty() {
        input(
            page,
            &Input {
                name: "endpoint_parameter",
                description:
                    "The SSM parameter that applications read the endpoint from, as host:port."
                        .to_owned(),
                default: None,
                example: Some("/prod/sessions/redis-endpoint".to_owned()),
                why: "",
            },
        );
    }
}

fn input(page: &mut Page, input: &Input<'_>) {
    page.line(format!("  {}:", input.name));
    page.entry(4, "type", "string", "");
    page.entry(4, "description", &literal(&input.description), "");
    match (&input.default, &input.example) {
        (Some(default), _) => page.entry(4, "default", &literal(default), input.why),
        (None, Some(example)) => page.entry(4, "example", &literal(example), ""),
        (None, None) => {}
    }
}

fn source_key(source: &Source) -> &'static str {
    match source {
        Source::Group(_) => "replication_group",
        Source::Serverless(_) => "serverless_cache",
    }
}

fn freeze(page: &mut Page, found: &Found) {
    let source = &found.source;
    page.line("  - id: freeze");
    page.line("    elasticache.freeze_writes:");
    page.entry(6, source_key(source), &argument(source.name()), "");
    if source.user_groups().is_empty() {
        page.entry(
            6,
            "accept_lost_writes_of",
            "\"${{ inputs.accept_lost_writes_of }}\"",
            "there are no RBAC users whose writes could be stopped",
        );
    } else {
        page.comment(
            6,
            "Its RBAC users lose the right to write; clients see NOPERM on writes until the switch. A rollback gives it back.",
        );
        if let Some(others) = found.sharing.as_ref().ok().filter(|others| !others.is_empty()) {
            page.comment(
                6,
                format!("also_freezes: {}  # they have the same users", arguments(others)),
            );
        }
    }
}

fn copy(page: &mut Page, source: &Source, kinds: Kinds, choice: &Choice) {
    let (snapshot, export) = match source {
        Source::Group(_) => ("elasticache.create_snapshot", "elasticache.export_snapshot"),
        Source::Serverless(_) => {
            ("elasticache.create_serverless_snapshot", "elasticache.export_serverless_snapshot")
        }
    };
    page.gap();
    page.line("  - id: snapshot");
    page.line(format!("    {snapshot}:"));
    page.entry(6, source_key(source), &argument(source.name()), "");
    page.gap();
    page.line("  - id: export");
    page.line(format!("    {export}:"));
    page.entry(6, "snapshot", "\"${{ steps.snapshot.name }}\"", "");
    page.entry(6, "bucket", "\"${{ inputs.bucket }}\"", "");
    if kinds.rdb_check {
        page.gap();
        page.comment(2, "A file that the new cluster could not load stops the run here.");
        page.line("  - id: files");
        page.line("    rdb.check:");
        page.entry(6, "objects", "\"${{ steps.export.objects }}\"", "");
        page.entry(6, "engine", &argument(&choice.engine.value), "");
        page.entry(6, "engine_version", &literal(&choice.version.value), "");
    }
}

fn cluster(page: &mut Page, found: &Found, written: &Written) {
    let choice = &written.choice;
    page.gap();
    page.line("  - id: cluster");
    page.line("    timeout: 3h");
    page.line("    memorydb.create_cluster:");
    page.entry(6, "name", &argument(&choice.name.value), &choice.name.why);
    page.entry(6, "node_type", &argument(&choice.node_type.value), &choice.node_type.why);
    page.entry(6, "shards", &choice.shards.value.to_string(), &choice.shards.why);
    page.entry(6, "replicas_per_shard", &choice.replicas.value.to_string(), &choice.replicas.why);
    page.entry(6, "engine", &argument(&choice.engine.value), &choice.engine.why);
    page.entry(6, "engine_version", &literal(&choice.version.value), &choice.version.why);
    match &choice.acl.value {
        Acl::Open => page.entry(6, "acl", "open-access", &choice.acl.why),
        Acl::Own(_) => page.entry(6, "acl", "\"${{ inputs.acl }}\"", &choice.acl.why),
    }
    page.entry(6, "tls", if choice.tls.value { "true" } else { "false" }, &choice.tls.why);
    page.entry(6, "subnet_group", "\"${{ inputs.subnet_group }}\"", "");
    let groups = found.source.security_groups();
    if groups.is_empty() {
        page.comment(
            6,
            "security_groups: []  # none was read of the source; without one, the VPC's default",
        );
    } else {
        page.entry(
            6,
            "security_groups",
            &arguments(groups),
            "the source's: the same clients get in",
        );
    }
    if written.parameters.own_group() {
        page.entry(6, "parameter_group", "\"${{ inputs.parameter_group }}\"", "");
    }
    if let Some(port) = choice.port {
        page.entry(6, "port", &port.to_string(), "the source's");
    }
    if let Some(key) = found.source.kms_key() {
        page.entry(6, "kms_key", &argument(key), "the source's; the export itself is under SSE-S3");
    }
    windows(page, &found.source);
    page.entry(6, "restore_from", "\"${{ steps.export.objects }}\"", "");
}

/// Snapshots and maintenance, as the source has them.
fn windows(page: &mut Page, source: &Source) {
    let days = match source {
        Source::Group(group) => group.snapshot_retention_days,
        Source::Serverless(cache) => cache.snapshot_retention_days,
    };
    let why = if days == 0 { "as the source: no daily snapshots" } else { "as the source" };
    page.entry(6, "snapshot_retention_days", &days.min(35).to_string(), why);
    let Source::Group(group) = source else { return };
    if let Some(window) = group.snapshot_window.as_ref().filter(|_| days > 0) {
        page.entry(6, "snapshot_window", &argument(&window.text), "as the source, in UTC");
    }
    if let Ok(node) = &group.node
        && let Some(window) = &node.maintenance_window
    {
        page.entry(6, "maintenance_window", &argument(&window.text), "as the source, in UTC");
    }
}

fn compare(page: &mut Page, source: &Source, written: &Written, options: &Options) {
    page.gap();
    let (mark, user, passwords) = match &options.reader {
        Some(reader) => (
            "  ",
            argument(&reader.user),
            [argument(&reader.source_password), argument(&reader.target_password)],
        ),
        None => {
            let kept = || "\"secretsmanager:NAME#FIELD\"".to_owned();
            ("  # ", "READER".to_owned(), [kept(), kept()])
        }
    };
    if options.reader.is_none() {
        page.comment(
            2,
            "To have every key compared before anything is switched: make a user on both sides that may read everything (`orchestrate steps redis.compare` says which rights it needs), keep its passwords in Secrets Manager or SSM, and take the comment marks away.",
        );
    } else {
        page.comment(2, "Every key by type, value and time to live, in both directions.");
    }
    let [before, after] = passwords;
    let mut lines = vec!["- id: compare".to_owned(), "  redis.compare:".to_owned()];
    let mut side = |name: &str, step: &str, user: Option<&str>, password: Option<&str>| {
        lines.push(format!("    {name}:"));
        lines.push(format!("      endpoint: \"${{{{ steps.{step}.endpoint }}}}\""));
        lines.push(format!("      tls: \"${{{{ steps.{step}.tls }}}}\""));
        lines.extend(user.map(|user| format!("      user: {user}")));
        lines.extend(password.map(|password| format!("      password: {password}")));
    };
    // An AUTH token is a password without a user.
    let rbac = !source.user_groups().is_empty();
    let known = rbac || source.auth_token();
    side("source", "snapshot", rbac.then_some(&*user), known.then_some(&*before));
    let own = written.choice.acl.value != Acl::Open;
    side("target", "cluster", own.then_some(&*user), own.then_some(&*after));
    for line in lines {
        page.line(format!("{mark}{line}"));
    }
}

fn approve(page: &mut Page, options: &Options) {
    page.gap();
    page.line("  - id: approval");
    page.line("    approve:");
    page.entry(
        6,
        "message",
        "Point the applications at the new cluster? Going back later loses the writes made to it until then.",
        "",
    );
    page.line("      show:");
    page.line("        - \"new endpoint: ${{ steps.cluster.endpoint }}\"");
    if options.reader.is_some() {
        page.line("        - \"keys compared: ${{ steps.compare.compared }}\"");
    }
    page.line("        - \"writes: ${{ steps.freeze.statement }}\"");
}

/// A TTL from which on the step gets a timeout of its own: well below its usual half hour, in seconds.
const LONG_TTL: u64 = 600;

fn switch(page: &mut Page, written: &Written) {
    page.gap();
    page.comment(2, "The applications move here.");
    page.line("  - id: switch");
    let ttl = written.targets.switched.iter().map(|target| target.ttl).max().unwrap_or(0);
    if ttl > LONG_TTL {
        page.entry(
            4,
            "timeout",
            &format!("{}m", (ttl + 1800).div_ceil(60)),
            &format!(
                "resolvers may keep a record for {ttl} s, and the step waits for that: lower its TTL before"
            ),
        );
    }
    page.line("    endpoint.swap:");
    page.entry(6, "to", "\"${{ steps.cluster.endpoint }}\"", "");
    page.entry(
        6,
        "from",
        "\"${{ steps.snapshot.endpoint }}\"",
        "every target must name the source",
    );
    page.line("      targets:");
    if written.targets.switched.is_empty() {
        page.line("        - ssm_parameter: \"${{ inputs.endpoint_parameter }}\"");
    }
    for target in &written.targets.switched {
        place(page, target);
    }
}

fn place(page: &mut Page, target: &Switched) {
    page.line(format!("        - {}: {}", target.kind, argument(&target.name)));
    if let Some(zone) = &target.zone {
        page.entry(10, "zone", &argument(zone), "");
        return;
    }
    match &target.form {
        Form::Host => page.entry(10, "format", "host", ""),
        Form::HostPort => page.entry(10, "format", "host_port", ""),
        Form::Url => page.entry(10, "format", "url", ""),
        Form::Json(fields) => {
            page.entry(10, "format", "json", "");
            let fields: Vec<String> =
                fields.iter().map(|(kind, path)| format!("{kind}: {}", argument(path))).collect();
            page.line(format!("          fields: {{ {} }}", fields.join(", ")));
        }
    }
}

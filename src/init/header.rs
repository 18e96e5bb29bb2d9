//! The head of the playbook: what was read, what has to be made first, and what clients must change.

use super::choose::Acl;
use super::found::{Found, Source};
use super::text::{Page, fits_a_command};
use super::users::Mapped;
use super::{Options, Written};
use crate::aws::shell;
use crate::survey::{Authentication, User};

/// How many parameters one UpdateParameterGroup takes (MemoryDB API reference).
const PARAMETERS_PER_CALL: usize = 20;
/// Names that are shown of a longer list.
const SHOWN: usize = 12;

pub(super) fn write(page: &mut Page, found: &Found, options: &Options, written: &Written) {
    let source = &found.source;
    let name = source.name();
    page.comment(
        0,
        format!(
            "Moves ElastiCache {} \"{name}\" to a new MemoryDB cluster by snapshot, and points the applications at it.",
            source.what()
        ),
    );
    page.hash();
    page.comment(
        0,
        format!(
            "Written by `orchestrate init` from what account {} showed in {} to {} at {}. It only read. What has changed since is not in here; `orchestrate plan` looks again.",
            found.account,
            found.region,
            found.caller,
            found.at.strftime("%Y-%m-%d %H:%M UTC")
        ),
    );
    page.hash();
    let file = options.file.as_deref().filter(|file| fits_a_command(file));
    let file = file.map_or_else(|| "FILE".to_owned(), shell);
    page.line(format!(
        "#   orchestrate plan    {file}    # reads only: says what is missing, and what would fail"
    ));
    page.line(format!("#   orchestrate migrate {file}    # shows the plan, asks, runs"));
    page.hash();
    page.comment(
        0,
        "What happens: writes stop → snapshot → export to S3 → cluster from the export → a person approves → the applications are pointed at it. If any step before the last fails, everything made so far is removed and writes come back. The source is never deleted.",
    );
    about_source(page, found, written);
    gaps(page, written);
    first(page, found, written);
    parameters(page, found, written);
    users(page, found, written);
    clients(page, source, written);
    endpoints(page, found, written);
}

fn about_source(page: &mut Page, found: &Found, written: &Written) {
    let source = &found.source;
    page.title("THE SOURCE");
    let version = source.version().unwrap_or("(version not read)");
    let auth = match (source.auth_token(), source.user_groups()) {
        (true, _) => "an AUTH token".to_owned(),
        (false, []) => "no authentication".to_owned(),
        (false, groups) => format!("RBAC, user group {}", groups.join(", ")),
    };
    let shape = match source {
        Source::Group(group) => {
            let count = match group.shards.len() {
                1 => "1 shard".to_owned(),
                n => format!("{n} shards"),
            };
            let mode = if group.cluster_enabled { "on" } else { "off" };
            format!("{}, {count}, cluster mode {mode}", group.node_type)
        }
        Source::Serverless(_) => "serverless".to_owned(),
    };
    let tls = if source.tls() { "TLS" } else { "no TLS" };
    page.comment(0, format!("{} {version}, {shape}, {tls}, {auth}.", source.engine()));
    if let Some(endpoint) = source.endpoint() {
        page.comment(0, format!("Endpoint {endpoint}."));
    }
    for remark in &written.choice.remarks {
        page.item(0, remark);
    }
}

fn gaps(page: &mut Page, written: &Written) {
    if written.unread.is_empty() && written.left_out.is_empty() {
        return;
    }
    page.title("NOT READ");
    for unread in &written.unread {
        page.item(0, format!("{unread}."));
    }
    if !written.left_out.is_empty() {
        page.item(0, format!("Not looked at: {}.", written.left_out.join("; ")));
    }
}

fn first(page: &mut Page, found: &Found, written: &Written) {
    page.title("TO MAKE FIRST");
    page.item(
        0,
        "The bucket: same region and account, SSE-S3 encryption, a policy for both snapshot services. `orchestrate plan` says what is missing.",
    );
    if let Some(group) = found.same_subnets() {
        page.item(0, format!("Subnet group {group} is there, with the source's subnets."));
    } else {
        let whose = match found.source.subnet_group() {
            Some(group) => format!("those of ElastiCache subnet group {group}"),
            None => "the source's".to_owned(),
        };
        let tame = |subnets: &&Vec<String>| {
            !subnets.is_empty() && subnets.iter().all(|subnet| fits_a_command(subnet))
        };
        let known = found.subnets.as_ref().ok().filter(tame);
        let subnets = match known {
            Some(subnets) => subnets.iter().map(|s| shell(s)).collect::<Vec<_>>().join(" "),
            None => "SUBNET SUBNET".to_owned(),
        };
        page.item(0, format!("The subnet group; its subnets here are {whose}:"));
        let name = shell(&written.choice.name.value);
        aws(
            page,
            found,
            &[
                format!("aws memorydb create-subnet-group --subnet-group-name {name}"),
                format!("--subnet-ids {subnets}"),
            ],
        );
    }
    if written.parameters.own_group() {
        page.item(0, "The parameter group: see PARAMETERS.");
    }
    if matches!(written.choice.acl.value, Acl::Own(_)) {
        page.item(0, "The ACL and its users: see USERS.");
    }
}

fn parameters(page: &mut Page, found: &Found, written: &Written) {
    page.title("PARAMETERS");
    let settings = &written.parameters;
    match (&found.source, &found.parameters) {
        (Source::Serverless(_), _) => page.comment(
            0,
            "A serverless cache has none. MemoryDB does not evict keys when memory is full (maxmemory-policy noeviction): writes then fail with an OOM error, unless a parameter group says otherwise.",
        ),
        (_, Err(_)) => page.comment(
            0,
            "What the source's parameter group sets could not be read. Mind maxmemory-policy: it is noeviction in MemoryDB and volatile-lru in ElastiCache, unless a parameter group says otherwise. Where keys were evicted, writes fail with an OOM error.",
        ),
        _ => {}
    }
    if settings.fates.is_empty() {
        return;
    }
    let group = found.source.parameter_group().unwrap_or("(not read)");
    page.comment(0, format!("Of the source's parameter group {group}:"));
    for fate in &settings.fates {
        page.item(0, format!("{} = {}: {}", fate.name, fate.value, fate.fate));
    }
    if !settings.own_group() {
        return;
    }
    page.hash();
    let own = &written.choice.name.value;
    let name = shell(own);
    if found.has(|there| &there.parameter_groups, own) {
        page.item(
            0,
            format!(
                "MemoryDB has a parameter group {own} already, which other clusters may use. See whether it sets the same; to have another, make one and name it in the input parameter_group."
            ),
        );
        let describe = format!("aws memorydb describe-parameters --parameter-group-name {name}");
        aws(page, found, &[describe]);
        return;
    }
    aws(
        page,
        found,
        &[
            format!("aws memorydb create-parameter-group --parameter-group-name {name}"),
            format!(
                "--family {} --description {}",
                settings.family,
                shell(&format!("from {group}"))
            ),
        ],
    );
    let fits = |(name, value): &&(String, String)| fits_a_command(name) && fits_a_command(value);
    let set: Vec<_> = settings.set.iter().filter(fits).collect();
    for some in set.chunks(PARAMETERS_PER_CALL) {
        let values: Vec<serde_json::Value> = some
            .iter()
            .map(|(name, value)| {
                serde_json::json!({ "ParameterName": name, "ParameterValue": value })
            })
            .collect();
        aws(
            page,
            found,
            &[
                format!("aws memorydb update-parameter-group --parameter-group-name {name}"),
                format!(
                    "--parameter-name-values {}",
                    shell(&serde_json::Value::Array(values).to_string())
                ),
            ],
        );
    }
    for (name, _) in settings.set.iter().filter(|setting| !fits(setting)) {
        page.item(0, format!("{name} has a value that no command can hold: set it by hand"));
    }
}

/// A command for the account's region, which the environment of whoever pastes it may not name.
fn aws(page: &mut Page, found: &Found, parts: &[String]) {
    let mut parts = parts.to_vec();
    if let Some(last) = parts.last_mut() {
        *last += &format!(" --region {}", shell(&found.region));
    }
    page.command(&parts);
}

fn users(page: &mut Page, found: &Found, written: &Written) {
    page.title("USERS");
    let Acl::Own(acl) = &written.choice.acl.value else {
        page.comment(
            0,
            "The source asks nobody who they are, and neither will the new cluster (ACL open-access): whoever reaches its port may run every command. To have it otherwise, turn TLS on in the cluster step, make users and an ACL, and name that.",
        );
        return;
    };
    let users = &written.users;
    if found.source.auth_token() {
        page.comment(
            0,
            "The source has an AUTH token, and MemoryDB has none: clients that send AUTH with a password alone cannot get in. They must log in with a user's name and password. This makes one that may do everything; give it less if you can.",
        );
    } else if found.users.is_ok() {
        page.comment(
            0,
            "Passwords cannot be read back. Set each variable to the password that clients have now (16 to 128 characters, no comma, quote, slash or @), and clients need not change.",
        );
    } else {
        page.comment(
            0,
            "The source's users could not be read. Make those that its clients log in as:",
        );
    }
    page.hash();
    let token = [Mapped {
        name: "app".to_owned(),
        access: "on ~* &* +@all".to_owned(),
        iam: false,
        passwords: 1,
        remarks: Vec::new(),
    }];
    let six = written.parameters.family == "memorydb_redis6";
    let mapped: &[Mapped] =
        if found.source.auth_token() || found.users.is_err() { &token } else { &users.mapped };
    for (i, user) in mapped.iter().enumerate() {
        if i > 0 {
            page.hash();
        }
        for remark in &user.remarks {
            page.item(0, format!("{}: {remark}.", user.name));
        }
        if found.has(|there| &there.users, &user.name) {
            page.item(
                0,
                format!(
                    "MemoryDB has a user {} already. See whether it may do the same ({}) and has the password that clients send; if not, make one of another name.",
                    user.name, user.access
                ),
            );
            let name = shell(&user.name.to_lowercase());
            aws(page, found, &[format!("aws memorydb describe-users --user-name {name}")]);
            continue;
        }
        let mode = if user.iam {
            "Type=iam".to_owned()
        } else {
            format!("Type=password,Passwords=\"${}\"", variable(&user.name))
        };
        aws(
            page,
            found,
            &[
                format!("aws memorydb create-user --user-name {}", shell(&user.name)),
                format!("--access-string {}", shell(&user.access)),
                format!("--authentication-mode {mode}"),
            ],
        );
    }
    if mapped.is_empty() {
        page.comment(0, "None of the source's users can be made in MemoryDB as it is. Make one, and name it here:");
    }
    let names: Vec<String> = mapped.iter().map(|user| shell(&user.name)).collect();
    let names = if names.is_empty() { "USER".to_owned() } else { names.join(" ") };
    if found.has(|there| &there.acls, acl) {
        page.item(
            0,
            format!(
                "MemoryDB has an ACL {acl} already. See who is in it and which clusters use it; to have another, make one and name it in the input acl."
            ),
        );
        aws(page, found, &[format!("aws memorydb describe-acls --acl-name {}", shell(acl))]);
    } else {
        let create =
            format!("aws memorydb create-acl --acl-name {} --user-names {names}", shell(acl));
        aws(page, found, &[create]);
    }
    if !users.left_out.is_empty() {
        page.hash();
        page.comment(0, "Cannot be carried over:");
        for user in &users.left_out {
            page.item(0, format!("{}: {}.", user.name, user.why));
        }
    }
    if let Some(others) = found.sharing.as_ref().ok().filter(|others| !others.is_empty()) {
        page.item(
            0,
            format!(
                "The same users write to {}: writes would stop there too. Give the source users and a user group of its own; or, if that is meant, say so at the freeze step (also_freezes).",
                others.join(", ")
            ),
        );
    }
    let frozen = found.users.iter().flatten().any(cannot_be_frozen);
    if frozen {
        page.item(
            0,
            "The freeze step cannot take the right to write from the user with the id default: put a user of your own, with the name default and no right to write, in its place.",
        );
    }
    if six {
        page.hash();
        page.comment(
            0,
            "Redis 6.2 knows no selectors and no %R~ or %W~ patterns in access strings.",
        );
    }
}

/// ElastiCache's own user is not to be modified (ElastiCache user guide, role-based access control).
fn cannot_be_frozen(user: &User) -> bool {
    user.id == "default" && user.authentication != Authentication::Iam && user.access.contains('+')
}

/// The shell variable of a user's password.
fn variable(name: &str) -> String {
    let upper = name.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_");
    format!("{upper}_PASSWORD")
}

fn clients(page: &mut Page, source: &Source, written: &Written) {
    let mut changes: Vec<String> = Vec::new();
    if !source.cluster_mode() {
        changes.push("MemoryDB is always in cluster mode, and the source is not. Clients must be cluster clients; SELECT to another database than 0 fails; commands, transactions and scripts over several keys need all of them in one slot (hash tags: {user:1}:a, {user:1}:b).".to_owned());
        changes.push(
            "There is no reader endpoint: a cluster client reads from replicas if told to."
                .to_owned(),
        );
    }
    if source.auth_token() {
        changes.push("AUTH needs a user's name and a password.".to_owned());
    }
    let (was, is) = (source.engine(), &written.choice.engine.value);
    if was != is {
        changes.push(format!("The engine changes from {was} to {is}."));
    } else if source.version().is_some_and(|v| v.starts_with('8')) {
        changes.push("Commands that came with Valkey 8 are not there in 7.3.".to_owned());
    }
    if changes.is_empty() {
        return;
    }
    page.title("WHAT CLIENTS MUST CHANGE BEFORE");
    for change in changes {
        page.item(0, change);
    }
}

fn endpoints(page: &mut Page, found: &Found, written: &Written) {
    page.title("ENDPOINTS");
    let targets = &written.targets;
    match targets.switched.len() {
        0 => page.comment(
            0,
            "No plain SSM parameter, CNAME record or secret that was looked at names the source. Say in the input endpoint_parameter where the applications read it.",
        ),
        1 => page.comment(0, "One place names the source; it is in the last step."),
        n => page.comment(0, format!("{n} places name the source; they are in the last step.")),
    }
    for hand in &targets.by_hand {
        page.item(0, format!("{} {}: look at it yourself.", hand.what, hand.why));
    }
    if let Ok(shelf) = &found.secrets
        && !shelf.unread.is_empty()
    {
        let some: Vec<&str> = shelf.unread.iter().take(SHOWN).map(String::as_str).collect();
        let more = shelf.unread.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        page.item(
            0,
            format!(
                "Values of secrets were not read (`--look-into-secrets` reads them): {}{more}.",
                some.join(", ")
            ),
        );
    }
}

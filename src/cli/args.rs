//! The command line.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::aws::is_region;
use crate::cost::{Engine, NodeType, Purchase, Quantity};

/// Moves, exports and operates Redis data on AWS by playbook: plans, adopts, proves, undoes.
#[derive(Debug, Parser)]
#[command(name = "orchestrate", version, max_term_width = 100)]
pub struct Cli {
    /// Everything on standard output as one JSON object a line.
    #[arg(long, global = true)]
    pub json: bool,
    /// Where runs are kept: a directory, or s3://<bucket>/<prefix> to share them [env: ORCHESTRATE_STATE] [default: the XDG state directory]
    #[arg(long, global = true, value_name = "PLACE", conflicts_with = "state_dir")]
    pub state: Option<String>,
    /// The same, always a directory [env: ORCHESTRATE_STATE_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Certificates, in PEM, to trust besides the system's when connecting to Redis [env: SSL_CERT_FILE]
    #[arg(long, global = true, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A playbook and what it is given.
#[derive(Debug, Args)]
pub struct PlaybookArgs {
    /// The playbook, a YAML file; or a plan that `orchestrate plan --out` kept
    pub playbook: PathBuf,
    /// An input, as name=value; may be repeated, and wins over the file
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// A YAML or JSON file of inputs
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
    /// Take inputs that are not given from the outputs of an earlier run, by name
    #[arg(long, value_name = "RUN")]
    pub inputs_from: Option<String>,
}

/// Running a playbook.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// What to run.
    #[command(flatten)]
    pub playbook: PlaybookArgs,
    /// Do not ask whether to go on after the plan is shown
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Run against a sandbox inside this process, seeded with what the playbook needs; AWS is not called
    #[cfg(feature = "sandbox")]
    #[arg(long)]
    pub sandbox: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check playbooks without calling anything
    Validate {
        /// The playbooks; a directory stands for the .yaml and .yml files in it, `-` for standard input
        #[arg(required = true)]
        playbooks: Vec<PathBuf>,
        /// Print one document for other programs instead of words
        #[arg(long, value_enum, value_name = "FORMAT", conflicts_with = "json")]
        format: Option<ValidateFormat>,
    },
    /// Write a playbook for a live source, with all that reading the account tells; changes nothing
    Init(InitArgs),
    /// Show what a playbook would do, and what reading the account says about it; changes nothing
    Plan(RunArgsOfPlan),
    /// Print the least IAM policy for whoever runs a playbook; calls nothing
    Iam(IamArgs),
    /// Run a playbook that moves data: show the plan, ask, carry it out
    Migrate(RunArgs),
    /// Run any playbook
    Run(RunArgs),
    /// Go on with a run that was stopped, is stuck, or has been approved; let one go on that is paused or held
    Resume {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
    },
    /// Answer the approval a run waits for
    Approve {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
        /// Say no: the run is rolled back when it is resumed
        #[arg(long)]
        reject: bool,
        /// Words to keep with the answer
        #[arg(long, short = 'm')]
        comment: Option<String>,
        /// Go on with the run at once
        #[arg(long)]
        resume: bool,
    },
    /// Undo what a run has done
    Rollback {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
        /// Also put the endpoint back that the applications read, although writes made since are lost to it
        #[arg(long)]
        past_pivot: bool,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Pause a run that is being worked on, from any terminal; `resume` lets it go on
    Pause {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
        /// Words to keep in the journal
        #[arg(long, short = 'm')]
        comment: Option<String>,
    },
    /// Hold a run before a step; `resume` lets the step begin
    Hold {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
        /// The step that is not to begin
        #[arg(long, value_name = "STEP")]
        before: String,
        /// Words to keep in the journal
        #[arg(long, short = 'm')]
        comment: Option<String>,
    },
    /// Stop a run that is being worked on at its next safe point, and undo what it did
    Cancel {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
        /// Words to keep in the journal
        #[arg(long, short = 'm')]
        comment: Option<String>,
    },
    /// Break the lease on a run whose process is dead for certain
    Unlock {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
        /// How you know that it is dead; kept in the journal
        #[arg(long, short = 'm')]
        comment: String,
        /// Do not ask
        #[arg(long, short = 'y')]
        yes: bool,
    },
    /// Stop every change of every orchestrate in the account, or allow them again
    Lever {
        /// A region; may be repeated [default: the one of the AWS configuration]
        #[arg(long, global = true)]
        region: Vec<String>,
        /// What to do with it
        #[command(subcommand)]
        command: LeverCommand,
    },
    /// Show one run: what it did, where it is, what to do next
    Status {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
    },
    /// List all runs
    Runs,
    /// Compare what ElastiCache, durable ElastiCache and MemoryDB cost for a cluster; changes nothing
    Cost(CostArgs),
    /// Advise whether to stay on ElastiCache, make it durable, or move to MemoryDB; changes nothing
    Advise(Box<AdviseArgs>),
    /// List the step kinds, or show the documentation of one
    Steps {
        /// The kind
        kind: Option<String>,
    },
    /// Print the JSON Schema of playbooks, for editors
    Schema,
    /// Serve a local AWS on the loopback address until stopped
    #[cfg(feature = "sandbox")]
    Sandbox(SandboxArgs),
    /// Simulate runs that crash and meet faults, each from a seed, and check what is guaranteed; calls nothing
    #[cfg(feature = "sandbox")]
    Sim(SimArgs),
    /// Print shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What to do with the stop lever.
#[derive(Debug, Subcommand)]
pub enum LeverCommand {
    /// Let no change leave
    Engage {
        /// Why; whoever is stopped reads it
        #[arg(long, short = 'm')]
        comment: String,
    },
    /// Allow changes again
    Release {
        /// Why it is safe
        #[arg(long, short = 'm')]
        comment: String,
    },
    /// Show where it stands
    Status,
}

/// Writing a playbook.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("source").required(true).args(["from", "from_serverless"]))]
pub struct InitArgs {
    /// The replication group to move
    #[arg(long, value_name = "REPLICATION_GROUP", value_parser = NonEmptyStringValueParser::new())]
    pub from: Option<String>,
    /// The serverless cache to move
    #[arg(long, value_name = "CACHE", value_parser = NonEmptyStringValueParser::new())]
    pub from_serverless: Option<String>,
    /// The bucket that the export goes through; an input of the playbook if left out
    #[arg(long)]
    pub bucket: Option<String>,
    /// The name of the new cluster [default: the source's, with -mdb]
    #[arg(long)]
    pub name: Option<String>,
    /// The user that compares every key before the switch, on both sides; without it the comparison is left in comments
    #[arg(long, value_name = "USER", requires_all = ["source_password", "target_password"])]
    pub reader: Option<String>,
    /// Where its password for the source is kept: secretsmanager:<name>[#field] or ssm:<name>
    #[arg(long, value_name = "REFERENCE", requires = "reader")]
    pub source_password: Option<String>,
    /// Where its password for the new cluster is kept, likewise
    #[arg(long, value_name = "REFERENCE", requires = "reader")]
    pub target_password: Option<String>,
    /// Read the values of secrets too, to find those that name the source; they are not shown
    #[arg(long)]
    pub look_into_secrets: bool,
    /// The region [default: the one of the AWS configuration]
    #[arg(long)]
    pub region: Option<String>,
    /// The file to write; standard output if left out
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the file anew if it is there
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// What `validate` can print for other programs, besides the lines of `--json`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ValidateFormat {
    /// SARIF 2.1.0, which code hosts and editors read
    Sarif,
}

/// Planning a playbook.
#[derive(Debug, Args)]
pub struct RunArgsOfPlan {
    /// What to plan.
    #[command(flatten)]
    pub playbook: PlaybookArgs,
    /// Prices to estimate by, instead of the program's own
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
    /// Keep the plan in a file, for `orchestrate migrate <file>` or `run <file>`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Plan against a sandbox inside this process, seeded with what the playbook needs
    #[cfg(feature = "sandbox")]
    #[arg(long)]
    pub sandbox: bool,
}

/// The cluster that is priced.
#[derive(Debug, Args)]
pub struct ShapeArgs {
    /// Read the cluster from this replication group; what is given besides wins over what was read
    #[arg(long, value_name = "REPLICATION_GROUP", value_parser = NonEmptyStringValueParser::new())]
    pub from: Option<String>,
    /// What it runs today: redis or valkey [default: redis]
    #[arg(long)]
    pub engine: Option<Engine>,
    /// Its nodes, such as r7g.large or cache.r7g.large
    #[arg(long)]
    pub node_type: Option<NodeType>,
    /// How many shards [default: 1]
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..=500))]
    pub shards: Option<u32>,
    /// How many replicas each shard has [default: 1]
    #[arg(long, allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(0..=5))]
    pub replicas: Option<u32>,
    /// How much data it holds, not counted again for replicas
    #[arg(long, allow_negative_numbers = true, value_name = "GB")]
    pub data_gb: Option<Quantity>,
    /// How much is written in a month; MemoryDB charges for it
    #[arg(long, allow_negative_numbers = true, value_name = "GB")]
    pub written_gb: Option<Quantity>,
    /// How much is kept in snapshots
    #[arg(long, allow_negative_numbers = true, value_name = "GB", default_value = "0")]
    pub backup_gb: Quantity,
    /// The region whose prices are taken [default: the one of the AWS configuration, else us-east-1]
    #[arg(long)]
    pub region: Option<String>,
    /// How nodes are paid for: none, or 1yr or 3yr with -no-upfront, -partial-upfront or -all-upfront
    #[arg(long, value_name = "TERM-PAYMENT", default_value = "none")]
    pub reserved: Purchase,
    /// A price file instead of the one in the program
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
}

/// Comparing costs.
#[derive(Debug, Args)]
pub struct CostArgs {
    /// The cluster.
    #[command(flatten)]
    pub shape: ShapeArgs,
    /// Requests a month in millions of ElastiCache processing units, to compare ElastiCache Serverless too
    #[arg(long, allow_negative_numbers = true, value_name = "MILLIONS", requires = "data_gb")]
    pub ecpus: Option<Quantity>,
}

/// Asking for advice.
#[derive(Debug, Args)]
pub struct AdviseArgs {
    /// What may be missing after the worst failure: everything, a-day, ten-seconds, nothing
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub loss: Option<String>,
    /// Whether this is the only copy of the data: yes, no
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub only_copy: Option<String>,
    /// Whether losing an acknowledged write is forbidden by a law, a contract or an auditor: yes, no
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub loss_forbidden: Option<String>,
    /// When a shard that lost all its nodes must serve its data again: never, hours, minutes
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub recovery: Option<String>,
    /// In which regions the data must be: one, read-elsewhere, write-everywhere
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub regions: Option<String>,
    /// How long a write may take: milliseconds, microseconds
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub write_latency: Option<String>,
    /// MiB a second written to the busiest shard at peak
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub peak_write: Option<String>,
    /// How much more a month it may cost: a sum, or any
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub budget: Option<String>,
    /// Whether keys may be evicted when memory is full: yes, no
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub evicts: Option<String>,
    /// Whether all clients speak the cluster protocol: yes, no
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub cluster_clients: Option<String>,
    /// How clients authenticate: none, password, user-and-password, iam
    #[arg(long, value_name = "ANSWER", help_heading = "Answers")]
    pub auth: Option<String>,
    /// A YAML or JSON file of answers, by the names of the flags; flags win over it
    #[arg(long, value_name = "FILE")]
    pub answers: Option<PathBuf>,
    /// What one loss of data costs, for the break-even
    #[arg(long, allow_negative_numbers = true, value_name = "SUM")]
    pub loss_costs: Option<crate::cost::Money>,
    /// How many losses a year are expected, for the break-even; may be below one
    #[arg(long, allow_negative_numbers = true, value_name = "NUMBER")]
    pub losses_a_year: Option<Quantity>,
    /// The cluster.
    #[command(flatten)]
    pub shape: ShapeArgs,
}

impl AdviseArgs {
    /// The answers that were given as flags, by the names of their questions.
    #[must_use]
    pub fn given(&self) -> [(&'static str, Option<&str>); 11] {
        [
            ("loss", self.loss.as_deref()),
            ("only-copy", self.only_copy.as_deref()),
            ("loss-forbidden", self.loss_forbidden.as_deref()),
            ("recovery", self.recovery.as_deref()),
            ("regions", self.regions.as_deref()),
            ("write-latency", self.write_latency.as_deref()),
            ("peak-write", self.peak_write.as_deref()),
            ("budget", self.budget.as_deref()),
            ("evicts", self.evicts.as_deref()),
            ("cluster-clients", self.cluster_clients.as_deref()),
            ("auth", self.auth.as_deref()),
        ]
    }
}

/// Printing policies.
#[derive(Debug, Args)]
pub struct IamArgs {
    /// What the policy is for.
    #[command(flatten)]
    pub playbook: PlaybookArgs,
    /// Print the policy of the bucket that the exports go through, instead of the caller's
    #[arg(long)]
    pub bucket_policy: bool,
    /// How to write it
    #[arg(long, value_enum, default_value_t = PolicyFormat::Json)]
    pub format: PolicyFormat,
    /// The account, 12 digits [default: the playbook's `guard`, else any]
    #[arg(long, value_name = "ID", value_parser = account)]
    pub account: Option<String>,
    /// The region [default: the playbook's `guard`, else any]
    #[arg(long, value_name = "NAME", value_parser = region)]
    pub region: Option<String>,
    /// The ARN of the role or user that gets it: only that one may then be asked about in the policy simulator
    #[arg(long, value_name = "ARN", value_parser = principal)]
    pub principal: Option<String>,
    /// The ARN of a KMS key that encrypts a parameter or secret of the playbook; may be repeated
    #[arg(long = "kms-key", value_name = "ARN", value_parser = key)]
    pub kms_keys: Vec<String>,
    /// Write it to a file
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Write the file anew if it is there
    #[arg(long, requires = "output")]
    pub force: bool,
}

fn account(text: &str) -> Result<String, &'static str> {
    let fits = text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then(|| text.to_owned()).ok_or("an account is 12 digits")
}

fn region(text: &str) -> Result<String, &'static str> {
    is_region(text).then(|| text.to_owned()).ok_or("write it like us-east-1")
}

/// The simulator knows users, groups and roles, and no sessions (IAM API reference, SimulatePrincipalPolicy).
fn principal(text: &str) -> Result<String, &'static str> {
    let fits = arn(text, "iam", &["role/", "user/"]);
    fits.then(|| text.to_owned()).ok_or("write it like arn:aws:iam::123456789012:role/ops")
}

fn key(text: &str) -> Result<String, &'static str> {
    let fits = arn(text, "kms", &["key/"]);
    fits.then(|| text.to_owned())
        .ok_or("write it like arn:aws:kms:us-east-1:123456789012:key/…, not an alias")
}

/// Whether a text is the ARN of something of a service, by how its last part begins.
fn arn(text: &str, service: &str, kinds: &[&str]) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let [head, partition, of, _, owner, resource] = parts[..] else { return false };
    let named = |kind: &&str| resource.strip_prefix(*kind).is_some_and(|name| !name.is_empty());
    head == "arn"
        && partition.starts_with("aws")
        && of == service
        && account(owner).is_ok()
        && kinds.iter().any(named)
        && !text.contains(|c: char| c.is_whitespace() || c == '*')
}

/// How a policy is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum PolicyFormat {
    /// IAM's own JSON
    Json,
    /// HCL with aws_iam_policy_document
    Terraform,
    /// A template, in JSON
    Cloudformation,
}

/// Serving a sandbox.
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub struct SandboxArgs {
    /// Seed it with what this playbook needs
    pub playbook: Option<PathBuf>,
    /// An input of that playbook, as name=value; may be repeated
    #[arg(long = "input", short = 'i', value_name = "NAME=VALUE")]
    pub input: Vec<String>,
    /// A YAML or JSON file of inputs
    #[arg(long, value_name = "FILE")]
    pub inputs: Option<PathBuf>,
    /// A JSON file that says what exists at first, instead of a playbook
    #[arg(long, value_name = "FILE", conflicts_with = "playbook")]
    pub seed: Option<PathBuf>,
    /// The port on 127.0.0.1; 0 chooses a free one
    #[arg(long, default_value_t = 4566)]
    pub port: u16,
    /// How many times faster than AWS its lifecycles run
    #[arg(long, default_value_t = 60.0)]
    pub speed: f64,
    /// Do not start Redis servers even if there are any on this machine
    #[arg(long)]
    pub no_servers: bool,
    /// The server program of one engine's clusters, such as redis-6.2=/opt/redis-6.2/redis-server; may be repeated
    #[arg(long = "server", value_name = "ENGINE-VERSION=PROGRAM", conflicts_with = "no_servers")]
    pub servers: Vec<String>,
    /// The S3 of another server on this machine, such as LocalStack's, instead of the sandbox's own
    #[arg(long, value_name = "URL")]
    pub s3_endpoint: Option<String>,
    /// Write every request and its answer to this file, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub record: Option<PathBuf>,
    /// How long every call takes, in milliseconds, as over a network
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 0)]
    pub latency: u64,
    /// An IAM policy, as JSON, that every caller is held to; may be repeated
    #[arg(long = "policy", value_name = "FILE")]
    pub policies: Vec<PathBuf>,
    /// A JSON file of faults to answer with
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// Simulating runs.
#[cfg(feature = "sandbox")]
#[derive(Debug, Args)]
pub struct SimArgs {
    /// Simulate this seed and print what happened
    #[arg(long, value_name = "N", conflicts_with_all = ["seeds", "from"])]
    pub seed: Option<u64>,
    /// Simulate so many seeds and print the sum
    #[arg(long, value_name = "K", default_value_t = 1_000)]
    pub seeds: u64,
    /// The first of them
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub from: u64,
    /// Simulate this playbook only, by its name; drawn from the seed if left out
    #[arg(long, value_name = "NAME")]
    pub playbook: Option<String>,
    /// How many at a time [default: the machine's processors]
    #[arg(long, value_name = "N")]
    pub threads: Option<usize>,
}

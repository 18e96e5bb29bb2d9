//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// Moves, exports and operates Redis data on AWS by playbook: plans, adopts, proves, undoes.
#[derive(Debug, Parser)]
#[command(name = "orchestrate", version, max_term_width = 100)]
pub struct Cli {
    /// Everything on standard output as one JSON object a line.
    #[arg(long, global = true)]
    pub json: bool,
    /// Where journals are kept [env: ORCHESTRATE_STATE_DIR] [default: the XDG state directory]
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
        /// The playbooks
        #[arg(required = true)]
        playbooks: Vec<PathBuf>,
    },
    /// Show what a playbook would do, and what reading the account says about it; changes nothing
    Plan(RunArgsOfPlan),
    /// Print the least IAM policy for whoever runs a playbook; calls nothing
    Iam(IamArgs),
    /// Run a playbook that moves data: show the plan, ask, carry it out
    Migrate(RunArgs),
    /// Run any playbook
    Run(RunArgs),
    /// Go on with a run that was stopped, is stuck, or has been approved
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
    /// Show one run: what it did, where it is, what to do next
    Status {
        /// The run: an id or its beginning; the latest if left out
        run: Option<String>,
    },
    /// List all runs
    Runs,
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
    /// Print shell completions
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Planning a playbook.
#[derive(Debug, Args)]
pub struct RunArgsOfPlan {
    /// What to plan.
    #[command(flatten)]
    pub playbook: PlaybookArgs,
    /// Keep the plan in a file, for `orchestrate migrate <file>` or `run <file>`
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Plan against a sandbox inside this process, seeded with what the playbook needs
    #[cfg(feature = "sandbox")]
    #[arg(long)]
    pub sandbox: bool,
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
    #[arg(long, value_name = "ID")]
    pub account: Option<String>,
    /// The region [default: the playbook's `guard`, else any]
    #[arg(long, value_name = "NAME")]
    pub region: Option<String>,
    /// The ARN of the role or user that gets it: only that one may then be asked about in the policy simulator
    #[arg(long, value_name = "ARN")]
    pub principal: Option<String>,
    /// The ARN of a KMS key that encrypts a parameter or secret of the playbook; may be repeated
    #[arg(long = "kms-key", value_name = "ARN")]
    pub kms_keys: Vec<String>,
    /// Write it to a file
    #[arg(long, short = 'o', value_name = "FILE")]
    pub output: Option<PathBuf>,
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

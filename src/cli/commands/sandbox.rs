//! `orchestrate sandbox`.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use orchestrate_sandbox::{Caller, EngineVersion, FaultPlan, Policy, Sandbox, Seed, ServerPolicy};
use serde::de::DeserializeOwned;

use crate::cli::args::{PlaybookArgs, SandboxArgs};
use crate::cli::error::CommandError;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::playbook_file;
use crate::cli::private_file;
use crate::cli::sandboxed::{cannot_start, seed_for};
use crate::cli::signals::Signals;
use crate::steps::catalog;

/// The account of every sandbox on loopback.
const ACCOUNT: &str = "123456789012";

/// Serves until a signal comes; everything it started ends with it.
pub(super) async fn run(args: SandboxArgs, output: Output) -> Result<Exit, CommandError> {
    let seed = seed(&args, output)?;
    let servers = if args.no_servers { ServerPolicy::Off } else { ServerPolicy::Auto };
    let latency = Duration::from_millis(args.latency);
    let mut builder = Sandbox::builder().speed(args.speed).servers(servers).latency(latency);
    for given in &args.servers {
        let (engine, program) = stand_in(given)?;
        builder = builder.stand_in(engine, program);
    }
    if let Some(url) = &args.s3_endpoint {
        builder = builder.s3_endpoint(url);
    }
    if let Some(path) = &args.record {
        builder = builder.record(recording(path)?);
    }
    if let Some(path) = &args.faults {
        builder = builder.faults(read_json::<FaultPlan>(path)?);
    }
    if !args.policies.is_empty() {
        builder = builder.caller(Caller::everybody(ACCOUNT, policies(&args.policies, output)?));
    }
    let sandbox = builder.build().map_err(cannot_start)?;
    sandbox.seed(seed).await.map_err(cannot_start)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, args.port));
    let server = sandbox.serve(address).await.map_err(|error| {
        CommandError::new(Exit::Refused, format!("the sandbox cannot listen on {address}"))
            .because(error.to_string())
            .hint("choose another port with --port; 0 takes a free one")
    })?;
    let ca = write_ca(&sandbox)?;
    announce(&server.addr(), ca.as_deref(), &args, &sandbox, output);
    Signals::watch().next().await;
    output.say("stopping the sandbox");
    server.shutdown().await;
    sandbox.stop().await;
    if let Some(ca) = ca {
        let _ = std::fs::remove_file(ca);
    }
    Ok(Exit::Done)
}

/// `redis-6.2=/opt/redis-6.2/redis-server` taken apart.
fn stand_in(given: &str) -> Result<(EngineVersion, PathBuf), CommandError> {
    let unusable = |why: String| {
        CommandError::new(Exit::Usage, format!("--server {given} cannot be used"))
            .because(why)
            .hint("write it as redis-6.2=/opt/redis-6.2/redis-server")
    };
    let (engine, program) =
        given.split_once('=').ok_or_else(|| unusable("it has no = in it".to_owned()))?;
    Ok((engine.parse().map_err(unusable)?, PathBuf::from(program)))
}

/// A new file that only its owner reads: requests have passwords in them.
fn recording(path: &Path) -> Result<std::fs::File, CommandError> {
    private_file::create(path).map_err(|error| {
        CommandError::new(Exit::Usage, format!("{} cannot be written", path.display()))
            .because(error.to_string())
            .hint("--record takes the name of a file that does not exist yet")
    })
}

fn seed(args: &SandboxArgs, output: Output) -> Result<Seed, CommandError> {
    if let Some(path) = &args.seed {
        return read_json(path);
    }
    let Some(playbook) = &args.playbook else { return Ok(Seed::default()) };
    let given = PlaybookArgs {
        playbook: playbook.clone(),
        input: args.input.clone(),
        inputs: args.inputs.clone(),
        inputs_from: None,
    };
    let source = playbook_file::read(&given.playbook, output)?;
    let plan = playbook_file::plan(&given, &source, &catalog(), None, output)?;
    Ok(seed_for(&plan))
}

/// Documents of IAM. What in them is not weighed is said, since a policy that works here may then not work on AWS.
fn policies(paths: &[PathBuf], output: Output) -> Result<Vec<Policy>, CommandError> {
    let mut policies = Vec::new();
    for path in paths {
        let unusable = |error: String| {
            CommandError::new(Exit::Usage, format!("{} cannot be used", path.display()))
                .because(error)
        };
        let text = std::fs::read_to_string(path).map_err(|e| unusable(e.to_string()))?;
        let policy = Policy::parse(&text).map_err(|e| unusable(e.to_string()))?;
        for what in policy.unweighed() {
            output.complain(&format!("warning: {}: {what} is not weighed\n", path.display()));
        }
        policies.push(policy);
    }
    Ok(policies)
}

fn read_json<T: DeserializeOwned>(path: &Path) -> Result<T, CommandError> {
    let unusable = |error: String| {
        CommandError::new(Exit::Usage, format!("{} cannot be used", path.display())).because(error)
    };
    let text = std::fs::read_to_string(path).map_err(|e| unusable(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| unusable(e.to_string()))
}

/// The certificate authority of its TLS servers, in a file private to the user.
fn write_ca(sandbox: &Sandbox) -> Result<Option<PathBuf>, CommandError> {
    let Some(pem) = sandbox.ca_pem() else { return Ok(None) };
    let path =
        std::env::temp_dir().join(format!("orchestrate-sandbox-ca-{}.pem", std::process::id()));
    // A file of this name is left over from a process that was killed, or somebody's trap: never written through.
    let _ = std::fs::remove_file(&path);
    let private = || {
        use std::io::Write;
        use std::os::unix::fs::OpenOptionsExt;
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true).mode(0o600).open(&path)?.write_all(pem.as_bytes())
    };
    private().map_err(|error| {
        CommandError::new(Exit::State, "the sandbox's certificate cannot be written")
            .because(format!("{}: {error}", path.display()))
    })?;
    Ok(Some(path))
}

fn announce(
    address: &SocketAddr,
    ca: Option<&Path>,
    args: &SandboxArgs,
    sandbox: &Sandbox,
    output: Output,
) {
    let mut environment = vec![
        ("AWS_ENDPOINT_URL", format!("http://{address}")),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", "sandbox".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "sandbox".to_owned()),
    ];
    if let Some(url) = &args.s3_endpoint {
        environment.push(("AWS_ENDPOINT_URL_S3", url.clone()));
    }
    if let Some(ca) = ca {
        environment.push(("SSL_CERT_FILE", ca.display().to_string()));
    }
    output.say(&format!(
        "sandbox on http://{address}, {} times as fast as AWS; {}",
        args.speed,
        sandbox.describe_data()
    ));
    for (name, value) in &environment {
        output.say(&format!("export {name}={value}"));
    }
    output.say("Ctrl-C stops it and everything it started.");
    let environment: serde_json::Map<String, serde_json::Value> =
        environment.into_iter().map(|(k, v)| (k.to_owned(), v.into())).collect();
    output.json(&serde_json::json!({ "event": "sandbox", "data": {
        "endpoint": format!("http://{address}"), "environment": environment,
    }}));
}

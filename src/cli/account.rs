//! Everything a command needs to act: clock, clients, identity, data plane; and the guard.

use std::path::PathBuf;
use std::rc::Rc;

use async_trait::async_trait;

use super::error::CommandError;
use super::exit::Exit;
#[cfg(feature = "sandbox")]
use super::sandboxed::Embedded;
use crate::aws::{self, Clients, Identity, Settings};
use crate::engine::{Clock, Failure, Ledger};
use crate::plan::{Guard, Plan};
use crate::state::LeverGate;
use crate::steps::redis::{DataPlane, Wire};
use crate::steps::{Env, Registry, registry};

/// A connection to an account, real or sandboxed.
pub(crate) struct Account {
    /// The one clock.
    pub(crate) clock: Clock,
    /// Who we are and where.
    pub(crate) identity: Identity,
    /// What they act with.
    pub(crate) env: Rc<Env>,
    /// The step kinds, ready to act.
    pub(crate) registry: Registry,
    /// The sandbox inside this process, if there is one.
    #[cfg(feature = "sandbox")]
    pub(crate) embedded: Option<Embedded>,
}

/// What connects to an account.
#[async_trait(?Send)]
pub(crate) trait Connect {
    /// Connects for a plan.
    ///
    /// # Errors
    /// As `Account::connect`.
    async fn connect(&self, plan: &Plan) -> Result<Account, CommandError>;
}

/// Connects to AWS, or to whatever the standard AWS variables name.
pub(crate) struct Aws {
    /// Certificates to trust besides the system's.
    pub(crate) ca: Option<PathBuf>,
}

#[async_trait(?Send)]
impl Connect for Aws {
    async fn connect(&self, plan: &Plan) -> Result<Account, CommandError> {
        Account::connect(plan, self.ca.clone()).await
    }
}

impl Account {
    /// Connects to AWS, or to whatever the standard AWS variables name.
    ///
    /// # Errors
    /// `Refused` without region, credentials or an answer from STS, or against the plan's guard; nothing was changed.
    pub(crate) async fn connect(
        plan: &Plan,
        ca_file: Option<PathBuf>,
    ) -> Result<Self, CommandError> {
        usable_endpoints()?;
        let clock = clock();
        let data = Rc::new(Wire::new(extra_roots(ca_file)?));
        let settings = Settings {
            clock: clock.clone(),
            region: plan.guard.as_ref().and_then(|g| g.region.clone()),
            path_style: own_endpoint(),
            in_process: None,
            paced: true,
        };
        let clients = aws::connect(&settings).await.map_err(CommandError::refused)?;
        Self::with(clock, clients, data, plan).await
    }

    /// Connects to a sandbox inside this process.
    ///
    /// # Errors
    /// `Refused` if the sandbox cannot be made, or against the plan's guard.
    #[cfg(feature = "sandbox")]
    pub(crate) async fn embedded(plan: &Plan) -> Result<Self, CommandError> {
        let embedded = Embedded::start(plan).await?;
        let clock = embedded.clock.clone();
        let settings = Settings {
            clock: clock.clone(),
            region: Some(embedded.region.clone()),
            path_style: true,
            in_process: Some(embedded.sandbox.http_client()),
            paced: false,
        };
        let clients = aws::connect(&settings).await.map_err(CommandError::refused)?;
        let data = embedded.data_plane();
        let mut account = Self::with(clock, clients, data, plan).await?;
        account.embedded = Some(embedded);
        Ok(account)
    }

    /// An account that `clients` reach.
    ///
    /// # Errors
    /// `Refused` without an answer from STS, or against the plan's guard.
    pub(crate) async fn with(
        clock: Clock,
        clients: Clients,
        data: Rc<dyn DataPlane>,
        plan: &Plan,
    ) -> Result<Self, CommandError> {
        let identity = aws::identify(&clients).await.map_err(unreachable)?;
        guard(plan.guard.as_ref(), &identity)?;
        let env = Rc::new(Env::new(clients, identity.clone(), data, &clock));
        Ok(Self {
            clock,
            identity,
            registry: registry(&env),
            env,
            #[cfg(feature = "sandbox")]
            embedded: None,
        })
    }

    /// The account's stop lever, as a gate; `ledger` hears of it when it cannot be read.
    pub(crate) fn lever(&self, ledger: Rc<Ledger>) -> LeverGate {
        let (clients, account) = (self.env.aws.clone(), &self.identity.account);
        LeverGate::new(clients, account, self.clock.clone(), Some(ledger))
    }

    /// Refuses to begin or go on with a plan that changes anything while the account's stop lever is engaged.
    ///
    /// # Errors
    /// `Refused`; nothing was changed.
    pub(crate) async fn not_halted(&self, plan: &Plan) -> Result<(), CommandError> {
        if self.is_embedded() || !plan.steps().any(|step| step.effect.mutates()) {
            return Ok(());
        }
        let (clients, account) = (self.env.aws.clone(), &self.identity.account);
        let lever = LeverGate::new(clients, account, self.clock.clone(), None);
        lever.ask().await.map_err(|f| CommandError::refused(f).because("nothing was changed"))
    }

    /// Whether this is a sandbox inside this process.
    #[must_use]
    pub(crate) fn is_embedded(&self) -> bool {
        #[cfg(feature = "sandbox")]
        return self.embedded.is_some();
        #[cfg(not(feature = "sandbox"))]
        false
    }

    /// Stops what this process started for the account.
    pub(crate) async fn close(self) {
        #[cfg(feature = "sandbox")]
        if let Some(embedded) = self.embedded {
            embedded.sandbox.stop().await;
        }
    }
}

/// Connects for reading alone, without asking who we are.
///
/// # Errors
/// `Refused` without a region.
pub(crate) async fn reading(region: Option<String>) -> Result<(Clients, Clock), CommandError> {
    usable_endpoints()?;
    let clock = clock();
    let settings = Settings {
        clock: clock.clone(),
        region,
        path_style: own_endpoint(),
        in_process: None,
        paced: true,
    };
    Ok((aws::connect(&settings).await.map_err(CommandError::refused)?, clock))
}

/// The machine's clock. A build with debug assertions, which nobody is given, also knows `ORCHESTRATE_TEST_CLOCK=<n>`: n
/// times as fast. Tests of real processes do not have the minutes that AWS takes.
pub(crate) fn clock() -> Clock {
    #[cfg(debug_assertions)]
    if let Some(speed) = std::env::var("ORCHESTRATE_TEST_CLOCK").ok().and_then(|s| s.parse().ok()) {
        return Clock::tokio(jiff::Timestamp::now(), speed);
    }
    Clock::system()
}

pub(crate) fn unreachable(failure: Failure) -> CommandError {
    let no_mend = failure.mend.is_none();
    let error = CommandError::refused(failure.context("AWS does not say who we are"))
        .because("nothing was changed");
    if no_mend {
        error.hint("check network, region and endpoint: `aws sts get-caller-identity` must work")
    } else {
        error
    }
}

/// Refuses to go on in any account or region but the one the playbook names.
fn guard(guard: Option<&Guard>, identity: &Identity) -> Result<(), CommandError> {
    let Some(guard) = guard else { return Ok(()) };
    let wrong = |what: &str, wanted: &str, found: &str| {
        CommandError::new(
            Exit::Refused,
            format!("the playbook may only run in {what} {wanted}, and this is {found}"),
        )
        .because("nothing was changed")
        .hint("use credentials for the right account and region, or change `guard` in the playbook")
    };
    match guard {
        Guard { account: Some(account), .. } if *account != identity.account => {
            Err(wrong("account", account, &identity.account))
        }
        Guard { region: Some(region), .. } if *region != identity.region => {
            Err(wrong("region", region, &identity.region))
        }
        _ => Ok(()),
    }
}

/// Refuses endpoint variables that the SDK cannot take: an empty one ends it in a panic.
fn usable_endpoints() -> Result<(), CommandError> {
    for (name, value) in std::env::vars_os() {
        let (name, value) = (name.to_string_lossy(), value.to_string_lossy());
        let scheme = value.starts_with("http://") || value.starts_with("https://");
        if name.starts_with("AWS_ENDPOINT_URL") && !scheme {
            let what =
                if value.is_empty() { "is empty".to_owned() } else { format!("is \"{value}\"") };
            return Err(CommandError::new(Exit::Refused, format!("{name} {what}, and is no URL"))
                .because("nothing was called")
                .hint(format!(
                    "`unset {name}` for AWS itself; or write it like http://127.0.0.1:4566"
                )));
        }
    }
    Ok(())
}

/// Whether S3 is reached at an endpoint that is not AWS's own: those have no host name for each bucket.
fn own_endpoint() -> bool {
    ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"].iter().any(|v| std::env::var_os(v).is_some())
}

fn extra_roots(given: Option<PathBuf>) -> Result<Option<Vec<u8>>, CommandError> {
    let from_env = || std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let Some(path) = given.or_else(from_env) else { return Ok(None) };
    std::fs::read(&path).map(Some).map_err(|error| {
        CommandError::new(Exit::Usage, "the certificates to trust cannot be read")
            .because(format!("{}: {error}", path.display()))
    })
}

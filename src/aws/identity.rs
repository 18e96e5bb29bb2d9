//! Who the credentials belong to, and where calls go.

use serde::Serialize;

use super::{Clients, Op, call};
use crate::engine::Failure;

/// The caller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// Twelve digits.
    pub account: String,
    /// The caller's ARN.
    pub arn: String,
    /// "aws", "aws-cn", "aws-us-gov".
    pub partition: String,
    /// The region that calls go to.
    pub region: String,
}

/// Asks STS who the credentials belong to.
///
/// # Errors
/// `Denied` without usable credentials; `Transient` if STS cannot be reached.
pub async fn identify(clients: &Clients) -> Result<Identity, Failure> {
    let op = Op::read("STS", "GetCallerIdentity");
    let who = call(op, clients.sts.get_caller_identity().send()).await?;
    let arn = who.arn().unwrap_or_default().to_owned();
    let partition = arn.split(':').nth(1).unwrap_or("aws").to_owned();
    Ok(Identity {
        account: who.account().unwrap_or_default().to_owned(),
        arn,
        partition,
        region: clients.region.clone(),
    })
}

//! A canary on real servers.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::link::Link;
use super::reply::{cmd, strings};
use super::topology::Topology;
use crate::engine::{Class, Failure};
use crate::steps::redis::canary::Canary;
use crate::steps::redis::plane::Target;
use crate::steps::redis::slot::slot_of;

/// A try that takes longer has failed: a dead server's host may swallow packets for minutes.
const PATIENCE: Duration = Duration::from_secs(1);
/// What a run that dies leaves goes by itself.
const KEPT_MS: &[u8] = b"3600000";

pub(super) struct WireCanary {
    pub(super) target: Target,
    pub(super) tls: Option<TlsConnector>,
    pub(super) key: String,
    pub(super) link: Option<Link>,
}

impl WireCanary {
    /// A connection to the primary that holds the key, by a lookup that is no older than the last failure.
    async fn link(&mut self) -> Result<Link, Failure> {
        if let Some(link) = &self.link {
            return Ok(link.clone());
        }
        let Target { host, port, .. } = &self.target;
        let seed = Link::dial(&self.target, self.tls.as_ref(), host, *port).await?;
        let link = match seed.one(&cmd(&[b"CLUSTER", b"SLOTS"])).await {
            Ok(slots) => {
                let topology = Topology::read(&slots, host, self.target.tls)?;
                let owner = topology.owner[usize::from(slot_of(self.key.as_bytes()))];
                let node = &topology.primaries[owner];
                Link::dial(&self.target, self.tls.as_ref(), &node.host, node.port).await?
            }
            // Not in cluster mode, or not allowed to ask: then the endpoint is the primary's.
            Err(_) => seed,
        };
        self.link = Some(link.clone());
        Ok(link)
    }

    async fn ask(&mut self, words: &[&[u8]]) -> Result<redis::Value, Failure> {
        let asked = timeout(PATIENCE, async {
            let link = self.link().await?;
            link.one(&cmd(words)).await
        });
        let answer = asked
            .await
            .unwrap_or_else(|_| Err(Failure::new(Class::Transient, "no answer within a second")));
        if answer.is_err() {
            self.link = None;
        }
        answer
    }
}

#[async_trait(?Send)]
impl Canary for WireCanary {
    async fn write(&mut self, number: u64) -> Result<(), Failure> {
        let (key, member) = (self.key.clone(), number.to_string());
        self.ask(&[b"SADD", key.as_bytes(), member.as_bytes()]).await?;
        if number.is_multiple_of(100) {
            // Whether it expires has no bearing on whether it was written.
            let _ = self.ask(&[b"PEXPIRE", key.as_bytes(), KEPT_MS]).await;
        }
        Ok(())
    }

    async fn written(&mut self) -> Result<BTreeSet<u64>, Failure> {
        let key = self.key.clone();
        let members = self.ask(&[b"SMEMBERS", key.as_bytes()]).await?;
        let members = strings(members, &self.target.host)
            .map_err(|_| Failure::fatal("SMEMBERS was answered with no list"))?;
        let numbers = members.iter().filter_map(|m| std::str::from_utf8(m).ok()?.parse().ok());
        Ok(numbers.collect())
    }

    async fn remove(&mut self) -> Result<(), Failure> {
        let key = self.key.clone();
        self.ask(&[b"DEL", key.as_bytes()]).await.map(drop)
    }
}

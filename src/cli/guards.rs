//! The eye of a run's guards: CloudWatch.

use std::rc::Rc;

use async_trait::async_trait;
use serde_json::Value;

use crate::engine::{Clock, Failure};
use crate::state::{Eye, Sight};
use crate::steps::{Env, guard};

/// Looks at guards by the clients of a run, at its time.
pub struct GuardEye {
    /// What it looks with.
    pub env: Rc<Env>,
    /// The run's clock.
    pub clock: Clock,
}

#[async_trait(?Send)]
impl Eye for GuardEye {
    async fn look(&self, guards: &[Value]) -> Result<Vec<Sight>, Failure> {
        let seen = guard::look(&self.env, guards, self.clock.now()).await?;
        let sight = |seen| match seen {
            guard::Seen::Well => Sight::Well,
            guard::Seen::Breached(what) => Sight::Breached(what),
            guard::Seen::Unknown(why) => Sight::Unknown(why),
        };
        Ok(seen.into_iter().map(sight).collect())
    }
}

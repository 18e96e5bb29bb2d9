//! Where an export of a snapshot lands: which objects it makes, and how one sees that it is over.
//!
//! No event and no status says that an export is complete. The source snapshot leaves `available` for `copying` and
//! comes back, and one object for each node group, `<target>-<node group id>.rdb`, appears when its upload is complete
//! (ElastiCache user guide, exporting a backup; MemoryDB developer guide, the same for its exports). Both together are
//! the proof.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::of::{Of, Watch};
use crate::engine::{Cx, Failure, Seen};
use crate::steps::{Env, s3};

/// How long objects may stay unseen after the source snapshot has come back.
const VISIBLE_WITHIN: Duration = Duration::from_secs(3 * 60);
/// As above, if the source was never seen to leave `available`: then nobody knows whether the export has begun.
const BEGUN_WITHIN: Duration = Duration::from_secs(10 * 60);
/// How long a bucket must show the same objects, where nobody can know how many there will be.
const QUIET_FOR: Duration = Duration::from_secs(60);
/// As above, if the source was never seen to leave `available`: then its being there says nothing.
const QUIET_FOR_UNSEEN: Duration = Duration::from_secs(5 * 60);

/// State of a wait: every object is there, as far as one can know, and the source is free again.
pub(in crate::steps) const LANDED: &str = "exported";
/// State of a wait: the source is free again and objects are missing.
pub(in crate::steps) const MISSING: &str = "objects missing";

/// What an export makes, and from what.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::steps) struct Landing {
    /// Whose snapshot it is.
    #[serde(default)]
    pub(in crate::steps) of: Of,
    /// The source snapshot.
    pub(in crate::steps) snapshot: String,
    /// The bucket.
    pub(in crate::steps) bucket: String,
    /// What the keys begin with, in lower case as ElastiCache stores it.
    pub(in crate::steps) target: String,
    /// The node groups of the snapshot: one object each.
    pub(in crate::steps) node_groups: Vec<String>,
}

/// One look at both sides.
#[derive(Clone, Debug)]
pub(in crate::steps) struct View {
    /// The source's status; none if it is gone.
    pub(in crate::steps) source: Option<String>,
    /// The objects: for each node group its own, if it is there and not empty.
    pub(in crate::steps) objects: Vec<Option<s3::Object>>,
    /// Whether `objects` has a place for each that there will be; otherwise it is what there is so far.
    pub(in crate::steps) counted: bool,
}

impl View {
    /// How many objects are there.
    pub(in crate::steps) fn present(&self) -> usize {
        self.objects.iter().flatten().count()
    }

    /// Whether all are, as far as they can be counted.
    pub(in crate::steps) fn complete(&self) -> bool {
        self.counted && self.present() == self.objects.len()
    }

    /// Whether an export has left something to see.
    pub(in crate::steps) fn shows_traces(&self) -> bool {
        self.present() > 0 || !self.source_is_free()
    }

    /// Whether the source snapshot is at rest.
    pub(in crate::steps) fn source_is_free(&self) -> bool {
        self.source.as_deref().is_none_or(|status| status.eq_ignore_ascii_case("available"))
    }
}

impl Landing {
    /// What the keys of all its objects begin with.
    fn prefix(&self) -> String {
        format!("{}-", self.target)
    }

    /// The key expected for a node group.
    pub(in crate::steps) fn key(&self, node_group: &str) -> String {
        format!("{}-{node_group}.rdb", self.target)
    }

    /// The node group that an object's key names: `<target>-<up to four digits>.rdb`.
    fn node_group_of<'k>(&self, key: &'k str) -> Option<&'k str> {
        let id = key.strip_prefix(&self.prefix())?.strip_suffix(".rdb")?;
        let fits = (1..=4).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit());
        fits.then_some(id)
    }

    /// Every object in the bucket that an export to this target could have made.
    pub(in crate::steps) async fn in_the_way(&self, env: &Env) -> Result<Vec<s3::Object>, Failure> {
        let mut objects = s3::list(env, &self.bucket, &self.prefix()).await?;
        objects.retain(|object| self.node_group_of(&object.key).is_some());
        Ok(objects)
    }

    /// The objects that belong to the snapshot's own node groups, in their order; an id is compared as a number, since
    /// its padding is nowhere promised.
    pub(in crate::steps) async fn objects(
        &self,
        env: &Env,
    ) -> Result<Vec<Option<s3::Object>>, Failure> {
        let found = self.in_the_way(env).await?;
        let same = |a: &str, b: &str| a == b || a.parse::<u16>().is_ok_and(|a| b.parse() == Ok(a));
        let of = |id: &String| {
            found
                .iter()
                .find(|o| self.node_group_of(&o.key).is_some_and(|found| same(found, id)))
                .filter(|object| object.bytes > 0)
                .cloned()
        };
        Ok(self.node_groups.iter().map(of).collect())
    }

    /// As `view`, for a wait: asks S3 only once the source is free again, since nothing is decided before.
    pub(in crate::steps) async fn glance(&self, env: &Env) -> Result<View, Failure> {
        let mut view = View { source: self.source(env).await?, objects: Vec::new(), counted: true };
        view.objects = if view.source_is_free() {
            self.objects(env).await?
        } else {
            vec![None; self.node_groups.len()]
        };
        Ok(view)
    }

    /// As `glance`, from the page that answers all waits of its sort.
    pub(in crate::steps) async fn watched(
        &self,
        env: &Env,
        cx: &Cx,
        watch: &Watch<'_>,
    ) -> Result<View, Failure> {
        let source = watch.status(env, cx, &self.snapshot).await?;
        let mut view = View { source, objects: Vec::new(), counted: true };
        view.objects = if view.source_is_free() {
            self.objects(env).await?
        } else {
            vec![None; self.node_groups.len()]
        };
        Ok(view)
    }

    async fn source(&self, env: &Env) -> Result<Option<String>, Failure> {
        let source = self.of.snapshot(env, &self.snapshot).await?;
        Ok(source.map(|snapshot| snapshot.status))
    }

    /// Looks at both sides. The source first: an export that ends between the two looks then shows as complete.
    pub(in crate::steps) async fn view(&self, env: &Env) -> Result<View, Failure> {
        let source = self.source(env).await?;
        Ok(View { source, objects: self.objects(env).await?, counted: true })
    }
}

/// What the looks of one wait remember.
#[derive(Debug, Default)]
pub(in crate::steps) struct Progress {
    left: Cell<bool>,
    seen: RefCell<Vec<Option<s3::Object>>>,
    quiet_since: Cell<Option<Timestamp>>,
}

impl Progress {
    /// The state of the wait, from a look.
    pub(in crate::steps) fn seen(&self, cx: &Cx, view: &View) -> Seen {
        if !view.source_is_free() {
            self.left.set(true);
            self.quiet_since.set(None);
            let state = view.source.clone().unwrap_or_default();
            return Seen::state(state);
        }
        let detail = Some(match view.counted {
            true => format!("{} of {} objects", view.present(), view.objects.len()),
            false => format!("{} objects so far", view.present()),
        });
        if view.complete() {
            return Seen { state: LANDED.to_owned(), detail };
        }
        if *self.seen.borrow() != view.objects {
            self.seen.replace(view.objects.clone());
            self.quiet_since.set(None);
        }
        let since = self.quiet_since.get().unwrap_or_else(|| cx.clock.now());
        self.quiet_since.set(Some(since));
        // A source that is gone has nothing left to export.
        let quick = self.left.get() || view.source.is_none();
        let (patience, then) = match (!view.counted && view.present() > 0, quick) {
            (true, true) => (QUIET_FOR, LANDED),
            (true, false) => (QUIET_FOR_UNSEEN, LANDED),
            (false, true) => (VISIBLE_WITHIN, MISSING),
            (false, false) => (BEGUN_WITHIN, MISSING),
        };
        let state = if cx.clock.since(since) >= patience {
            then
        } else {
            view.source.as_deref().unwrap_or("available")
        };
        Seen { state: state.to_owned(), detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_keys_of_this_target_with_a_node_group_are_its_objects() {
        let landing = Landing {
            of: Of::ElastiCache,
            snapshot: "s".into(),
            bucket: "b".into(),
            target: "prod".into(),
            node_groups: vec!["0001".into()],
        };
        assert_eq!(landing.key("0001"), "prod-0001.rdb");
        assert_eq!(landing.node_group_of("prod-0001.rdb"), Some("0001"));
        for other in
            ["prod-.rdb", "prod-00001.rdb", "prod-eu-0001.rdb", "prod-0001.rdb.bak", "prod0001.rdb"]
        {
            assert_eq!(landing.node_group_of(other), None, "{other}");
        }
    }
}

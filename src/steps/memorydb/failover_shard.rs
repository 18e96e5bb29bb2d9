//! `memorydb.failover_shard`: makes a replica the primary, to see what that does to applications.

use std::time::Duration;

use aws_sdk_memorydb::primitives::DateTime;
use aws_sdk_memorydb::types::{Event, SourceType};
use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cluster::{LONGEST_CLUSTER_NAME, SERVICE};
use crate::aws::{Op, call, memorydb_arn};
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding, Seen, States, Wait};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::creation::{self, Call};
use crate::steps::{Action, Done, Env, Need, Sketch, Step, Touch, action};

/// Calls in 24 hours (MemoryDB developer guide, testing automatic failover).
const A_DAY: usize = 5;
/// How long an event may stay unseen, and how far the service's clock may be behind ours.
const SLACK: SignedDuration = SignedDuration::from_secs(60);
const STATES: States = States { pending: &[ASKED, SWITCHED], success: &[FINISHED], terminal: &[] };
const ASKED: &str = "failing over";
const SWITCHED: &str = "recovering nodes";
const FINISHED: &str = "recovered";

/// Makes a replica of one shard its primary, as a drill, and waits until the service says that it has recovered.
///
/// Writes to the shard stop for some seconds; replicas of other shards are not touched. **This is a test tool**: AWS allows
/// five calls in 24 hours, may refuse them during large events, and advises against building recovery on them. The cluster
/// shows `available` all the while, so that the end is told by its events: "Finished recovery for nodes …".
///
/// ```yaml
/// - id: failover
///   memorydb.failover_shard: { cluster: prod-mdb, shard: "0001" }
/// ```
///
/// Not undone: the new primary holds the same data, and another failover would only interrupt writes again.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The cluster's name.
    cluster: String,
    /// The shard, such as `0001`.
    #[serde(default = "first")]
    shard: String,
}

fn first() -> String {
    "0001".to_owned()
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    cluster: String,
    shard: String,
    /// Events from then on can be of this step's call.
    since: Timestamp,
}

/// The failover.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// The cluster.
    cluster: String,
    /// The shard.
    shard: String,
    /// What the service said of the switch: which node was the primary, and which is.
    switched: String,
    /// Seconds from the first event of the failover to the last.
    seconds: u64,
}

/// `memorydb.failover_shard`.
pub(crate) struct FailoverShard;

impl Step for FailoverShard {
    const KIND: &'static str = "memorydb.failover_shard";
    const SUMMARY: &'static str = "fail one shard of a MemoryDB cluster over, as a drill";
    const ACTIONS: &'static [Action] = &[
        action("memorydb:DescribeClusters", "cluster/{cluster}", Phases::PLAN_RUN),
        action("memorydb:DescribeEvents", "*", Phases::PLAN_RUN),
        action("memorydb:FailoverShard", "cluster/{cluster}", Phases::RUN),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::None(std::borrow::Cow::Borrowed(
        "the new primary holds the same data; another failover would only interrupt writes again",
    )));
    const TIMEOUT: Duration = Duration::from_secs(3600);
    const EXPECTED: Duration = Duration::from_secs(5 * 60);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let longest = LONGEST_CLUSTER_NAME;
        let mut faults = creation::name_faults(args, "cluster", "cluster name", longest);
        if args["shard"]
            .as_str()
            .is_some_and(|s| s.is_empty() || s.bytes().any(|b| !b.is_ascii_digit()))
        {
            let fault = Fault::new("it is no name of a shard").key("shard");
            faults.push(fault.mend("write it like \"0001\", with its quotes"));
        }
        faults
    }

    fn sketch(args: &Value) -> Sketch {
        let cluster = args["cluster"].as_str().unwrap_or("…");
        let shard = args["shard"].as_str().unwrap_or("0001");
        Sketch {
            does: format!("fail shard {shard} of MemoryDB cluster \"{cluster}\" over to a replica"),
            undo: None,
            loses: Some("writes to the shard, for some seconds".to_owned()),
        }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        let cluster = args["cluster"].as_str().unwrap_or("…");
        vec![Touch::changes(format!("MemoryDB cluster \"{cluster}\""))]
    }

    fn needs(args: &Value) -> Vec<Need> {
        args["cluster"].as_str().map(|name| Need::Cluster(name.to_owned())).into_iter().collect()
    }

    async fn preflight(env: &Env, args: &Value, cx: &Cx) -> Vec<Finding> {
        let Some(name) = args["cluster"].as_str() else { return Vec::new() };
        let shard = args["shard"].as_str().unwrap_or("0001");
        let ready = match ready(env, &name.to_ascii_lowercase(), shard).await {
            Ok(replicas) => Finding::ok(
                "failover.replicas",
                format!("shard {shard} of \"{name}\" has {replicas} to fail over to"),
            ),
            Err(failure) => Finding::of("failover.replicas", &failure),
        };
        vec![ready, budget(env, name, cx).await]
    }

    async fn prepare(
        env: &Env,
        spec: &Spec,
        cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let name = creation::checked_name("cluster name", &spec.cluster, LONGEST_CLUSTER_NAME)?;
        ready(env, &name, &spec.shard).await?;
        let resource = Resource {
            what: "MemoryDB cluster".to_owned(),
            name: name.clone(),
            arn: Some(memorydb_arn(&env.identity, "cluster", &name)),
            role: Role::Changes,
        };
        let prepared = Prepared { cluster: name, shard: spec.shard.clone(), since: cx.clock.now() };
        Ok((prepared, vec![resource]))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let what =
            || format!("failed to fail shard {} of \"{}\" over", prepared.shard, prepared.cluster);
        // A second call would be a second interruption: after one whose answer was lost, the events say whether it came.
        let made = match creation::call_state(cx) {
            Call::Never | Call::Refused => false,
            Call::Taken | Call::Over => true,
            Call::Asked => {
                let look = || async {
                    let events = events(env, &prepared.cluster, prepared.since).await?;
                    Ok(Told::of(&events, &prepared.shard).begun.map(|_| ()))
                };
                creation::until_visible(cx, look).await?.is_some()
            }
        };
        if !made {
            let request = env.aws.memorydb.failover_shard().cluster_name(&prepared.cluster);
            let request = request.shard_name(&prepared.shard);
            let call = env.aws.change(SERVICE, "FailoverShard", request.send());
            creation::ask(cx, call).await.map_err(|f| explain(f).context(what()))?;
            creation::note_call(cx, Call::Taken).await?;
        }
        let told = wait(env, prepared, cx).await.map_err(|f| f.context(what()))?;
        creation::note_call(cx, Call::Over).await?;
        let output = told.output(prepared);
        Ok(if made { Done::Adopted(output) } else { Done::Changed(output) })
    }
}

async fn wait(env: &Env, prepared: &Prepared, cx: &Cx) -> Result<Told, Failure> {
    let wait = Wait {
        subject: format!("shard {} of \"{}\"", prepared.shard, prepared.cluster),
        service: SERVICE,
        states: STATES,
        expected: Duration::from_secs(4 * 60),
    };
    let last = std::cell::RefCell::new(Told::default());
    let look = || async {
        let events = events(env, &prepared.cluster, prepared.since).await?;
        let told = Told::of(&events, &prepared.shard);
        let state = match (&told.switched, &told.finished) {
            (_, Some(_)) => FINISHED,
            (Some(_), None) => SWITCHED,
            (None, None) => ASKED,
        };
        last.replace(told);
        Ok(Seen::state(state))
    };
    cx.wait(&wait, look, || async { None }).await?;
    Ok(last.into_inner())
}

/// What events tell of one failover.
#[derive(Debug, Default)]
struct Told {
    begun: Option<i64>,
    switched: Option<String>,
    finished: Option<i64>,
}

impl Told {
    /// The messages are those of the MemoryDB developer guide, testing automatic failover. Node names hold the shard's:
    /// `cluster-0001-002`.
    fn of(events: &[Event], shard: &str) -> Self {
        let mut told = Self::default();
        let mut sorted: Vec<&Event> = events.iter().collect();
        sorted.sort_by_key(|event| event.date().map(|date| date.secs()));
        for event in sorted {
            let message = event.message().unwrap_or_default();
            let at = event.date().map_or(0, |date| date.secs());
            let folded = message.to_ascii_lowercase();
            let of_shard = folded.contains(&format!("-{shard}-"));
            if folded.contains("failovershard api called") && folded.contains(shard) {
                told.begun.get_or_insert(at);
            } else if folded.starts_with("failover from primary node") && of_shard {
                told.begun.get_or_insert(at);
                told.switched = Some(message.to_owned());
            } else if folded.starts_with("finished recovery") && of_shard && told.begun.is_some() {
                told.finished = Some(at);
            }
        }
        told
    }

    fn output(self, prepared: &Prepared) -> Output {
        let seconds = self.finished.zip(self.begun).map_or(0, |(end, begun)| end - begun);
        Output {
            cluster: prepared.cluster.clone(),
            shard: prepared.shard.clone(),
            switched: self.switched.unwrap_or_default(),
            seconds: u64::try_from(seconds).unwrap_or(0),
        }
    }
}

async fn events(env: &Env, cluster: &str, since: Timestamp) -> Result<Vec<Event>, Failure> {
    let since = since.checked_sub(SLACK).unwrap_or(since).as_second();
    let mut all = Vec::new();
    let mut token = None;
    loop {
        let request = env
            .aws
            .memorydb
            .describe_events()
            .source_type(SourceType::Cluster)
            .source_name(cluster)
            .start_time(DateTime::from_secs(since))
            .set_next_token(token);
        let answer = call(Op::read(SERVICE, "DescribeEvents"), request.send()).await?;
        all.extend(answer.events.unwrap_or_default());
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(all);
        }
    }
}

/// That the cluster can fail over now; how many replicas the shard has.
async fn ready(env: &Env, name: &str, shard: &str) -> Result<String, Failure> {
    let request = env.aws.memorydb.describe_clusters().cluster_name(name).show_shard_details(true);
    let answer = call(Op::read(SERVICE, "DescribeClusters"), request.send()).await?;
    let missing = || {
        Failure::new(Class::NotFound, format!("there is no MemoryDB cluster \"{name}\"")).mend(
            format!("aws memorydb describe-clusters --region {} lists them", env.identity.region),
        )
    };
    let found = answer.clusters.unwrap_or_default().into_iter().next().ok_or_else(missing)?;
    let status = found.status().unwrap_or("unknown").to_ascii_lowercase();
    let known = found.shards().iter().find(|s| s.name() == Some(shard)).ok_or_else(|| {
        let names: Vec<&str> = found.shards().iter().filter_map(|s| s.name()).collect();
        Failure::new(Class::NotFound, format!("\"{name}\" has no shard {shard}"))
            .mend(format!("its shards are {}", names.join(", ")))
    })?;
    let nodes = known.number_of_nodes().unwrap_or(0);
    if nodes < 2 {
        return Err(Failure::fatal(format!("shard {shard} of \"{name}\" has no replica"))
            .mend("give the cluster a replica first: `memorydb.update_cluster`"));
    }
    if status != "available" {
        return Err(Failure::new(Class::Busy, format!("cluster \"{name}\" is {status}")));
    }
    Ok(match nodes - 1 {
        1 => "one replica".to_owned(),
        more => format!("{more} replicas"),
    })
}

/// Calls of the last 24 hours, as far as the cluster's events tell. The limit may count other clusters too.
async fn budget(env: &Env, name: &str, cx: &Cx) -> Finding {
    const CHECK: &str = "failover.budget";
    let day_ago = cx.clock.now().checked_sub(SignedDuration::from_hours(24));
    let events = match events(env, &name.to_ascii_lowercase(), day_ago.unwrap_or_default()).await {
        Ok(events) => events,
        Err(failure) => return Finding::of(CHECK, &failure),
    };
    let called = |event: &&Event| {
        let message = event.message().unwrap_or_default().to_ascii_lowercase();
        message.contains("failovershard api called")
    };
    let used = events.iter().filter(called).count();
    let what = format!("{used} of {A_DAY} failovers in 24 hours were called for \"{name}\"");
    if used < A_DAY {
        Finding::ok(CHECK, what)
    } else {
        Finding::will_fail(CHECK, what, "run it tomorrow; AWS counts the last 24 hours")
    }
}

fn explain(failure: Failure) -> Failure {
    match (failure.class, failure.code()) {
        (Class::Quota, _) => failure.mend("AWS allows five calls in 24 hours: stop for today"),
        (_, Some("TestFailoverNotAvailableFault")) => failure
            .mend("AWS does not allow drills here now, as during large events: try another day"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_memorydb::Client;
    use aws_sdk_memorydb::operation::describe_events::DescribeEventsOutput;
    use aws_sdk_memorydb::operation::failover_shard::FailoverShardOutput;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn told(messages: &[(i64, &str)]) -> DescribeEventsOutput {
        let event = |(at, message): &(i64, &str)| {
            Event::builder().date(DateTime::from_secs(*at)).message(*message).build()
        };
        let events = messages.iter().map(event).collect();
        DescribeEventsOutput::builder().set_events(Some(events)).build()
    }

    const BEGUN: (i64, &str) = (10, "FailoverShard API called for shard 0001");
    const SWITCH: (i64, &str) =
        (37, "Failover from primary node prod-0001-001 to replica node prod-0001-002 completed");
    const OTHER: (i64, &str) = (20, "Finished recovery for nodes prod-0002-001");
    const END: (i64, &str) = (190, "Finished recovery for nodes prod-0001-001");

    fn prepared() -> Prepared {
        let since = Timestamp::from_second(1_700_000_000).unwrap();
        Prepared { cluster: "prod".to_owned(), shard: "0001".to_owned(), since }
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_over_when_the_events_of_its_shard_say_so() {
        let events = mock!(Client::describe_events)
            .sequence()
            .output(|| told(&[]))
            .output(|| told(&[BEGUN, OTHER]))
            .output(|| told(&[SWITCH, BEGUN, OTHER]))
            .output(|| told(&[BEGUN, OTHER, SWITCH, END]))
            .build();
        let failover = mock!(Client::failover_shard)
            .match_requests(|r| r.cluster_name() == Some("prod") && r.shard_name() == Some("0001"))
            .then_output(|| FailoverShardOutput::builder().build());
        let env = testing::env(Rules { memorydb: vec![&events, &failover], ..Rules::default() });
        let spec: Spec = testing::spec(json!({"cluster": "prod"}));
        let cx = testing::cx("failover");
        let done = FailoverShard::execute(&env, &spec, &prepared(), &cx).await.unwrap();
        let Done::Changed(output) = done else { panic!("{done:?}") };
        assert_eq!((output.seconds, failover.num_calls(), events.num_calls()), (180, 1, 4));
        assert!(output.switched.contains("prod-0001-002"), "{output:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_lost_answer_the_events_say_whether_the_call_came() {
        for (shown, calls) in [(vec![BEGUN, SWITCH, END], 0), (vec![], 1)] {
            let came = !shown.is_empty();
            let events = mock!(Client::describe_events).then_output(move || match came {
                true => told(&[BEGUN, SWITCH, END]),
                false => told(&[]),
            });
            let failover = mock!(Client::failover_shard)
                .then_output(|| FailoverShardOutput::builder().build());
            let rules = vec![&events, &failover];
            let env = testing::env(Rules { memorydb: rules, ..Rules::default() });
            let spec: Spec = testing::spec(json!({"cluster": "prod"}));
            let mut cx = testing::cx("failover");
            cx.note = Some(json!({"call": "asked"}));
            let prepared = prepared();
            let run = FailoverShard::execute(&env, &spec, &prepared, &cx);
            let done = tokio::time::timeout(Duration::from_secs(600), run).await;
            assert_eq!(failover.num_calls(), calls);
            assert_eq!(matches!(done, Ok(Ok(Done::Adopted(_)))), came, "{done:?}");
        }
    }
}

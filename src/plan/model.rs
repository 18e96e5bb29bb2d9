use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::{Effect, Template};

/// The version of the plan's own shape; it is written into journals.
pub const FORMAT: u32 = 1;

/// What a run will do, decided before anything is called. It is kept in the journal, so a resumed run
/// cannot change meaning under an edited file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// [`FORMAT`] of the program that compiled it.
    pub format: u32,
    /// The playbook's name.
    pub playbook: String,
    /// The playbook's, for people.
    pub description: Option<String>,
    /// SHA-256 in hex over all that decides the run; descriptions do not.
    pub digest: String,
    /// Where it may run; anywhere, if there is none.
    pub guard: Option<Guard>,
    /// The value of every declared input, defaults included.
    pub inputs: Map<String, Value>,
    /// How long the whole run may take, in seconds.
    pub timeout_secs: Option<u64>,
    /// What becomes of writes made after the data was copied.
    pub writes: Writes,
    /// What is watched while the run is on, as the playbook says it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guards: Vec<Value>,
    /// What is done, in order.
    pub stages: Vec<Stage>,
    /// What the run leaves for people and for `--inputs-from`: a mapping of names to values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outputs: Option<Template>,
}

/// Where the run may happen; anywhere else it refuses.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// The 12 digits of the account.
    pub account: Option<String>,
    /// Such as `us-east-1`.
    pub region: Option<String>,
}

/// What becomes of writes made after the copy that goes live was taken. Plan, approval and report say it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Writes {
    /// No copy of the data goes live in this playbook.
    NotConcerned,
    /// The named step stops them before the copy.
    StoppedBy { step: String },
    /// They are lost, and the playbook accepts it at the named step's argument.
    LossAccepted { step: String, argument: String },
}

/// Steps that may run at the same time. Stages run one after the other, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stage {
    /// How many lanes may run at once, at least 1.
    pub max_parallel: u32,
    /// Each lane's steps run in order; lanes do not wait for one another.
    pub lanes: Vec<Vec<PlannedStep>>,
}

/// One step of a run, with all of its arguments that are known before it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedStep {
    /// Unique in the plan: `copy`, or `copy[2]` for one item of a `for_each`.
    pub id: String,
    /// The name of its kind.
    pub kind: String,
    pub description: Option<String>,
    /// Its arguments, with holes for what only the run knows.
    pub args: Template,
    pub timeout_secs: Option<u64>,
    /// What it does to the world.
    pub effect: Effect,
    /// The playbook lets this pivot go ahead though the way back could not be proved.
    pub accept_no_way_back: bool,
    /// A rollback leaves what the step has made, once it has succeeded.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep: bool,
}

impl Plan {
    /// Every step, stage by stage, lane by lane.
    pub fn steps(&self) -> impl Iterator<Item = &PlannedStep> {
        self.stages.iter().flat_map(|stage| stage.lanes.iter().flatten())
    }

    /// The step with this id.
    pub fn step(&self, id: &str) -> Option<&PlannedStep> {
        self.steps().find(|step| step.id == id)
    }

    /// Whether some step cannot simply be undone: a migration rather than a runbook.
    pub fn has_pivot(&self) -> bool {
        self.steps().any(|step| step.effect.is_pivot())
    }

    /// The digest this plan should carry.
    pub fn compute_digest(&self) -> String {
        let mut bare = self.clone();
        bare.digest.clear();
        bare.description = None;
        for step in bare.stages.iter_mut().flat_map(|stage| stage.lanes.iter_mut().flatten()) {
            step.description = None;
        }
        let value =
            serde_json::to_value(&bare).expect("a plan holds only text keys and finite numbers");
        let mut canonical = String::new();
        write_canonical(&value, &mut canonical);
        Sha256::digest(canonical.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// JSON with sorted keys and no spaces, whatever order the maps were filled in.
fn write_canonical(value: &Value, out: &mut String) {
    match value {
        Value::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_canonical(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| *key);
            out.push('{');
            for (index, (key, item)) in entries.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                out.push_str(&Value::String(key.clone()).to_string());
                out.push(':');
                write_canonical(item, out);
            }
            out.push('}');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

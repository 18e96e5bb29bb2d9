//! `s3.delete_objects`: removes the RDB files of an export by their recorded ARNs.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::object::{self, Removed};
use crate::aws::split_s3_object_arn;
use crate::cost::CostEffect;
use crate::engine::journal::{Resource, Role};
use crate::engine::{Class, Cx, Failure, Finding};
use crate::permissions::Phases;
use crate::plan::{Effect, Fault, UndoPolicy};
use crate::steps::{Action, Cargo, Done, Env, Need, Sketch, Step, Touch, action};

/// Deletes exported RDB files from S3, each by its recorded ARN.
///
/// It takes no prefix and no wildcard, and only keys that end in `.rdb`: what is deleted is what is listed. An object
/// that is gone already is fine. In a bucket that keeps versions S3 only puts a delete marker on the object: the bytes
/// stay until the old version is deleted or a lifecycle rule expires it, and the output says so.
///
/// Not undone: deleted objects cannot be brought back.
///
/// ```yaml
/// - id: remove_export
///   s3.delete_objects: { objects: "${{ inputs.export_objects }}" }
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Spec {
    /// The ARNs of the objects, such as `arn:aws:s3:::exports/prod-0001.rdb`.
    pub(crate) objects: Vec<String>,
}

/// The intent.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Prepared {
    objects: Vec<(String, String)>,
}

/// What was deleted.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Output {
    /// How many objects were deleted by this step.
    pub(crate) deleted: u32,
    /// How many were gone already.
    pub(crate) already_gone: u32,
    /// Whether a bucket keeps versions, so that delete markers were made and the bytes are still there.
    pub(crate) delete_markers: bool,
}

/// `s3.delete_objects`.
pub(crate) struct DeleteObjects;

impl Step for DeleteObjects {
    const KIND: &'static str = "s3.delete_objects";
    const SUMMARY: &'static str = "delete exported RDB files by their ARNs";
    const ACTIONS: &'static [Action] = &[
        // HeadObject: without s3:ListBucket S3 answers 403 instead of 404 for an object that is not there.
        action("s3:ListBucket", "{objects.bucket}", Phases::RUN),
        action("s3:GetObject", "{objects}", Phases::RUN),
        action("s3:DeleteObject", "{objects}", Phases::RUN),
    ];
    const EFFECT: Effect = Effect::Mutates(UndoPolicy::None(std::borrow::Cow::Borrowed(
        "deleted objects cannot be brought back",
    )));
    const TIMEOUT: Duration = Duration::from_secs(30 * 60);
    const EXPECTED: Duration = Duration::from_secs(5);

    type Spec = Spec;
    type Prepared = Prepared;
    type Output = Output;

    fn check(args: &Value) -> Vec<Fault> {
        let objects = args["objects"].as_array().into_iter().flatten().enumerate();
        objects
            .filter_map(|(index, arn)| Some((index, place(arn.as_str()?).err()?)))
            .map(|(index, failure)| Fault::from(failure).key("objects").item(index))
            .collect()
    }

    fn sketch(args: &Value) -> Sketch {
        let does = match args["objects"].as_array() {
            Some(objects) => {
                let names: Vec<_> = objects.iter().map(|o| o.as_str().unwrap_or("…")).collect();
                format!("delete {} from S3: {}", count(names.len()), names.join(", "))
            }
            None => "delete the listed RDB files from S3".to_owned(),
        };
        Sketch { does, undo: None, loses: Some("the exported RDB files".to_owned()) }
    }

    fn touches(args: &Value) -> Vec<Touch> {
        match args["objects"].as_array() {
            Some(objects) => {
                let names = objects.iter().map(|object| object.as_str().unwrap_or("…"));
                names.map(|name| Touch::deletes(format!("S3 object {name}"))).collect()
            }
            None => vec![Touch::deletes("the listed S3 objects")],
        }
    }

    fn costs(_args: &Value, cargo: Cargo) -> Vec<CostEffect> {
        vec![CostEffect::S3ObjectsGone { bytes: cargo.bytes }]
    }

    fn needs(args: &Value) -> Vec<Need> {
        let objects = args["objects"].as_array().into_iter().flatten();
        objects.filter_map(|o| Some(Need::Object(o.as_str()?.to_owned()))).collect()
    }

    async fn preflight(_env: &Env, args: &Value, _cx: &Cx) -> Vec<Finding> {
        let objects = args["objects"].as_array().into_iter().flatten().filter_map(Value::as_str);
        objects
            .filter_map(|arn| place(arn).err())
            .map(|failure| {
                Finding::will_fail(
                    "arguments",
                    failure.to_string(),
                    failure.mend.unwrap_or_default(),
                )
            })
            .collect()
    }

    async fn prepare(
        _env: &Env,
        spec: &Spec,
        _cx: &Cx,
    ) -> Result<(Prepared, Vec<Resource>), Failure> {
        let mut objects = Vec::new();
        let mut resources = Vec::new();
        for arn in &spec.objects {
            let (bucket, key) = place(arn)?;
            resources.push(Resource {
                what: "S3 object".to_owned(),
                name: format!("s3://{bucket}/{key}"),
                arn: Some(arn.clone()),
                role: Role::Deletes,
            });
            objects.push((bucket.to_owned(), key.to_owned()));
        }
        Ok((Prepared { objects }, resources))
    }

    async fn execute(
        env: &Env,
        _spec: &Spec,
        prepared: &Prepared,
        _cx: &Cx,
    ) -> Result<Done<Output>, Failure> {
        let mut output = Output { deleted: 0, already_gone: 0, delete_markers: false };
        for (bucket, key) in &prepared.objects {
            if object::head(env, bucket, key).await?.is_none() {
                output.already_gone += 1;
                continue;
            }
            output.delete_markers |= object::delete(env, bucket, key).await? == Removed::Hidden;
            if object::head(env, bucket, key).await?.is_some() {
                return Err(Failure::new(
                    Class::Transient,
                    format!("s3://{bucket}/{key} is still there after its deletion"),
                ));
            }
            output.deleted += 1;
        }
        Ok(if output.deleted == 0 { Done::Unchanged(output) } else { Done::Changed(output) })
    }
}

fn count(objects: usize) -> String {
    if objects == 1 { "one object".to_owned() } else { format!("{objects} objects") }
}

/// Bucket and key; refuses whatever could mean more than one exported file.
fn place(arn: &str) -> Result<(&str, &str), Failure> {
    let wrong = |why: &str| {
        Failure::fatal(format!("\"{arn}\" is not deleted: {why}")).mend(
            "list the ARNs that the export's `objects` output names, such as arn:aws:s3:::exports/prod-0001.rdb",
        )
    };
    let (bucket, key) =
        split_s3_object_arn(arn).ok_or_else(|| wrong("it is not the ARN of an S3 object"))?;
    if arn.contains(['*', '?']) {
        Err(wrong("it holds a wildcard"))
    } else if !key.ends_with(".rdb") {
        Err(wrong("its key does not end in .rdb"))
    } else {
        Ok((bucket, key))
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::Client;
    use aws_sdk_s3::error::ErrorMetadata;
    use aws_sdk_s3::operation::delete_object::DeleteObjectOutput;
    use aws_sdk_s3::operation::head_object::{HeadObjectError, HeadObjectOutput};
    use aws_sdk_s3::types::error::NotFound;
    use aws_smithy_mocks::mock;
    use serde_json::json;

    use super::*;
    use crate::steps::testing::{self, Rules};

    fn missing() -> HeadObjectError {
        HeadObjectError::NotFound(
            NotFound::builder().meta(ErrorMetadata::builder().code("NotFound").build()).build(),
        )
    }

    #[tokio::test(start_paused = true)]
    async fn each_listed_object_is_deleted_and_no_other() {
        let head = mock!(Client::head_object)
            .match_requests(|r| r.key() == Some("prod-0001.rdb"))
            .sequence()
            .output(|| HeadObjectOutput::builder().content_length(9).build())
            .error(missing)
            .build();
        let gone = mock!(Client::head_object)
            .match_requests(|r| r.key() == Some("prod-0002.rdb"))
            .then_error(missing);
        let delete = mock!(Client::delete_object)
            .match_requests(|r| r.bucket() == Some("exports") && r.key() == Some("prod-0001.rdb"))
            .then_output(|| DeleteObjectOutput::builder().delete_marker(true).build());
        let env = testing::env(Rules { s3: vec![&head, &gone, &delete], ..Rules::default() });
        let spec: Spec = testing::spec(json!({"objects": [
            "arn:aws:s3:::exports/prod-0001.rdb", "arn:aws:s3:::exports/prod-0002.rdb"
        ]}));
        let cx = testing::cx("remove");
        let (prepared, resources) = DeleteObjects::prepare(&env, &spec, &cx).await.unwrap();
        assert!(resources.iter().all(|r| r.role == Role::Deletes));
        let done = DeleteObjects::execute(&env, &spec, &prepared, &cx).await.unwrap();
        let Done::Changed(output) = done else { panic!("{done:?}") };
        assert_eq!((output.deleted, output.already_gone, output.delete_markers), (1, 1, true));
        assert_eq!(delete.num_calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whatever_is_not_one_exported_file_is_refused_before_anything_is_deleted() {
        let env = testing::env(Rules::default());
        for arn in [
            "arn:aws:s3:::exports/prod-*.rdb",
            "arn:aws:s3:::exports/prod-0001.txt",
            "arn:aws:s3:::exports/",
            "arn:aws:s3:::exports",
            "s3://exports/prod-0001.rdb",
        ] {
            let spec: Spec = testing::spec(json!({"objects": ["arn:aws:s3:::a/b.rdb", arn]}));
            let failure =
                DeleteObjects::prepare(&env, &spec, &testing::cx("remove")).await.unwrap_err();
            assert_eq!(failure.class, Class::Fatal, "{arn}");
        }
    }
}

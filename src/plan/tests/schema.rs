use serde_json::{Value, json};

use super::catalog::{MIGRATION, catalog};
use crate::plan::playbook_schema;

/// The migration as a generic YAML reader would hand it to a schema checker.
fn migration() -> Value {
    json!({
        "playbook": "v1",
        "name": "move",
        "inputs": { "source": { "type": "string", "description": "Group" } },
        "timeout": "6h",
        "steps": [
            { "id": "freeze", "elasticache.freeze_writes": { "replication_group": "${{ inputs.source }}" } },
            { "id": "cluster", "memorydb.create_cluster": {
                "name": "x", "node_type": "t", "shards": "${{ inputs.shards }}", "engine": "valkey",
                "restore_from": "${{ steps.export.objects }}" } },
            { "parallel": [{ "id": "a", "approve": null }, { "id": "b", "pause": { "for": "5m" } }] },
            { "id": "switch", "endpoint.swap": {
                "to": "${{ steps.cluster.endpoint }}", "targets": [{ "ssm_parameter": "/app" }] } },
        ],
    })
}

#[test]
fn the_schema_accepts_a_migration_and_refuses_its_mistakes() {
    let schema = playbook_schema(&catalog());
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let good = migration();
    let errors: Vec<_> = validator.iter_errors(&good).map(|error| error.to_string()).collect();
    assert_eq!(errors, [""; 0]);
    let wrong: [(&str, Value); 7] = [
        ("/playbook", json!("v2")),
        ("/name", json!("No Name")),
        ("/steps", json!([])),
        ("/steps/0/elasticache.freeze_writes", json!({ "group": "x" })),
        ("/steps/1/memorydb.create_cluster/shards", json!("two")),
        ("/steps/1/memorydb.create_cluster/engine", json!("memcached")),
        ("/steps/3/endpoint.swap/targets/0", json!({ "parameter": "/app" })),
    ];
    for (place, value) in wrong {
        let mut bad = migration();
        *bad.pointer_mut(place).unwrap() = value;
        assert!(!validator.is_valid(&bad), "{place} was accepted");
    }
    let mut two = migration();
    two["steps"][0]["approve"] = json!({});
    assert!(!validator.is_valid(&two), "two kinds in one step were accepted");
}

#[test]
fn every_reference_of_the_schema_leads_somewhere() {
    fn walk<'a>(value: &'a Value, targets: &mut Vec<&'a str>) {
        match value {
            Value::Object(map) => {
                targets.extend(map.get("$ref").and_then(Value::as_str));
                map.values().for_each(|inner| walk(inner, targets));
            }
            Value::Array(items) => items.iter().for_each(|inner| walk(inner, targets)),
            _ => {}
        }
    }
    let schema = playbook_schema(&catalog());
    let mut targets = Vec::new();
    walk(&schema, &mut targets);
    assert!(targets.len() > 10);
    for target in targets {
        assert!(schema.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
}

#[test]
fn hovering_over_an_argument_shows_what_it_is() {
    let schema = playbook_schema(&catalog());
    let step = &schema["$defs"]["step"]["properties"]["elasticache.export_snapshot"];
    assert_eq!(step["properties"]["bucket"]["description"], "The bucket the export goes to.");
    assert_eq!(step["description"], "What elasticache.export_snapshot does.");
    assert!(MIGRATION.contains("elasticache.export_snapshot"));
}

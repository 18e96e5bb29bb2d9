use super::catalog::{MIGRATION, plan};

#[test]
fn a_step_draws_on_what_its_sources_draw_on_nearest_first() {
    let plan = plan(MIGRATION, &["source=prod", "bucket=exports"]);
    let upstream = |id: &str| {
        let steps = plan.upstream(plan.step(id).unwrap());
        steps.into_iter().map(|step| step.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(upstream("switch"), ["cluster", "export", "snapshot"]);
    assert_eq!(upstream("export"), ["snapshot"]);
    assert!(upstream("snapshot").is_empty());
}

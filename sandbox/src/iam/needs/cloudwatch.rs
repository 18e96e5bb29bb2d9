//! CloudWatch: alarms are resources of a region, dashboards of an account, metrics none (service authorization reference).

use super::{Asked, Permission};
use crate::context::Ctx;

pub(super) fn needs(ctx: &Ctx, asked: &Asked<'_>) -> Option<Vec<Permission>> {
    let action = format!("cloudwatch:{}", asked.operation);
    let on = |resource: &str| Permission::of(&action, resource);
    let alarm =
        |name: &str| format!("arn:aws:cloudwatch:{}:{}:alarm:{name}", ctx.region(), ctx.account());
    let dashboard = |name: &str| format!("arn:aws:cloudwatch::{}:dashboard/{name}", ctx.account());
    let each = |member: &str, arn: &dyn Fn(&str) -> String| -> Vec<Permission> {
        let names = asked.texts(member);
        let names = if names.is_empty() { vec!["*".to_owned()] } else { names };
        names.iter().map(|name| on(&arn(name))).collect()
    };
    Some(match asked.operation {
        "GetMetricData" | "PutMetricData" => vec![on("*")],
        "DescribeAlarms" | "DeleteAlarms" => each("AlarmNames", &alarm),
        "SetAlarmState" => vec![on(&alarm(asked.text("AlarmName").unwrap_or("*")))],
        "PutMetricAlarm" => {
            let alarm = alarm(asked.text("AlarmName").unwrap_or("*"));
            let mut needs = vec![on(&alarm)];
            if asked.tags() {
                needs.push(Permission::of("cloudwatch:TagResource", &alarm));
            }
            needs
        }
        "ListTagsForResource" => vec![on(asked.text("ResourceARN").unwrap_or("*"))],
        "GetDashboard" | "PutDashboard" => {
            vec![on(&dashboard(asked.text("DashboardName").unwrap_or("*")))]
        }
        "DeleteDashboards" => each("DashboardNames", &dashboard),
        _ => return None,
    })
}

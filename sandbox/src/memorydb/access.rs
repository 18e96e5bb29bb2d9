//! Users and ACLs.

use serde_json::{Value, json};

use super::call::{arn, invalid_combination, invalid_value, need, page, tags_in, texts};
use super::state::{Acl, Due, MemoryDbState, User};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;

fn acl_json(ctx: &Ctx, state: &MemoryDbState, acl: &Acl) -> Value {
    let uses = state.clusters.values().filter(|cluster| cluster.acl == acl.name);
    json!({
        "Name": acl.name,
        "Status": acl.status,
        "UserNames": acl.users,
        "MinimumEngineVersion": "6.2",
        "Clusters": uses.map(|cluster| &cluster.name).collect::<Vec<_>>(),
        "ARN": arn(ctx, "acl", &acl.name),
    })
}

fn user_json(ctx: &Ctx, state: &MemoryDbState, user: &User) -> Value {
    let acls = state.acls.values().filter(|acl| acl.users.contains(&user.name));
    let authentication = match user.passwords.len() {
        0 => json!({"Type": "no-password"}),
        count => json!({"Type": "password", "PasswordCount": count}),
    };
    json!({
        "Name": user.name,
        "Status": "active",
        "AccessString": user.access_string,
        "ACLNames": acls.map(|acl| &acl.name).collect::<Vec<_>>(),
        "MinimumEngineVersion": "6.2",
        "Authentication": authentication,
        "ARN": arn(ctx, "user", &user.name),
    })
}

fn user_not_found(name: &str) -> ApiError {
    ApiError::bad("UserNotFoundFault", format!("User {name} not found."))
}

/// DescribeACLs.
pub(super) fn describe_acls(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let world = ctx.world();
    let state = &world.memorydb;
    let items = match input["ACLName"].as_str() {
        None => state.acls.values().map(|acl| acl_json(ctx, state, acl)).collect(),
        Some(name) => {
            let missing = || ApiError::bad("ACLNotFoundFault", format!("ACL {name} not found."));
            let acl = state.acls.get(&name.to_ascii_lowercase()).ok_or_else(missing)?;
            vec![acl_json(ctx, state, acl)]
        }
    };
    page(input, "ACLs", items)
}

/// DescribeUsers.
pub(super) fn describe_users(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let world = ctx.world();
    let state = &world.memorydb;
    let items = match input["UserName"].as_str() {
        None => state.users.values().map(|user| user_json(ctx, state, user)).collect(),
        Some(name) => {
            let user = state.users.get(&name.to_ascii_lowercase());
            vec![user_json(ctx, state, user.ok_or_else(|| user_not_found(name))?)]
        }
    };
    page(input, "Users", items)
}

/// CreateUser.
pub(super) fn create_user(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = names::folded("UserName", need(input, "UserName")?, 40).map_err(invalid_value)?;
    let mode = &input["AuthenticationMode"];
    let passwords = texts(mode, "Passwords");
    match mode["Type"].as_str() {
        Some("iam") if passwords.is_empty() => {}
        Some("iam") => return Err(invalid_combination("a user with IAM has no passwords")),
        Some("password") if (1..=2).contains(&passwords.len()) => {}
        _ => return Err(invalid_value("AuthenticationMode must be iam, or one or two passwords.")),
    }
    if passwords.iter().any(|password| !(16..=128).contains(&password.len())) {
        return Err(invalid_value("Passwords length must be between 16-128 characters."));
    }
    let user = User {
        name: name.clone(),
        access_string: need(input, "AccessString")?.trim().to_owned(),
        passwords,
        tags: tags_in(input),
    };
    let mut world = ctx.world();
    if world.memorydb.users.contains_key(&name) {
        return Err(ApiError::bad(
            "UserAlreadyExistsFault",
            format!("User with specified name already exists: {name}"),
        ));
    }
    let answer = user_json(ctx, &world.memorydb, &user);
    world.memorydb.users.insert(name, user);
    Ok(json!({"User": answer}))
}

/// CreateACL.
pub(super) fn create_acl(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = names::folded("ACLName", need(input, "ACLName")?, 40).map_err(invalid_value)?;
    let users = texts(input, "UserNames");
    let mut world = ctx.world();
    let state = &mut world.memorydb;
    if state.acls.contains_key(&name) {
        return Err(ApiError::bad(
            "ACLAlreadyExistsFault",
            format!("ACL with specified name already exists: {name}"),
        ));
    }
    if let Some(missing) = users.iter().find(|user| !state.users.contains_key(*user)) {
        return Err(user_not_found(missing));
    }
    if users.iter().any(|user| user == "default") {
        return Err(invalid_value("The user default can be in the ACL open-access only."));
    }
    let due = Due { at: ctx.due(ctx.timings().acl), to: Some("active".to_owned()), reason: None };
    let status = "creating".to_owned();
    let acl = Acl { name: name.clone(), status, due: Some(due), users, tags: tags_in(input) };
    let answer = acl_json(ctx, state, &acl);
    state.acls.insert(name, acl);
    Ok(json!({"ACL": answer}))
}

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
        _ if user.iam => json!({"Type": "iam"}),
        0 => json!({"Type": "no-password"}),
        count => json!({"Type": "password", "PasswordCount": count}),
    };
    json!({
        "Name": user.name,
        "Status": user.status,
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
    let Some((iam, passwords)) = login(input)? else {
        return Err(invalid_value("AuthenticationMode must be iam, or one or two passwords."));
    };
    let mut user = User::new(&name, need(input, "AccessString")?.trim(), passwords);
    (user.iam, user.tags) = (iam, tags_in(input));
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

/// How a request lets a user log in: by IAM, or with passwords; nothing if it does not say.
fn login(input: &Value) -> Result<Option<(bool, Vec<String>)>, ApiError> {
    let mode = &input["AuthenticationMode"];
    if !mode.is_object() {
        return Ok(None);
    }
    let passwords = texts(mode, "Passwords");
    let iam = match mode["Type"].as_str() {
        Some("iam") if passwords.is_empty() => true,
        Some("iam") => return Err(invalid_combination("a user with IAM has no passwords")),
        Some("password") if (1..=2).contains(&passwords.len()) => false,
        _ => return Err(invalid_value("AuthenticationMode must be iam, or one or two passwords.")),
    };
    if passwords.iter().any(|password| !(16..=128).contains(&password.len())) {
        return Err(invalid_value("Passwords length must be between 16-128 characters."));
    }
    // Developer guide, authenticating users with ACLs.
    if passwords.iter().any(|password| password.contains([',', '"', '/', '@'])) {
        return Err(invalid_value("Passwords may not contain , \" / or @."));
    }
    Ok(Some((iam, passwords)))
}

/// UpdateUser. The servers follow when the user is `active` again.
pub(super) fn update_user(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "UserName")?.to_ascii_lowercase();
    let login = login(input)?;
    let mut world = ctx.world();
    let user = active_user(&mut world.memorydb, &name)?;
    if let Some(access) = input["AccessString"].as_str() {
        user.access_string = access.trim().to_owned();
    }
    if let Some(login) = login {
        (user.iam, user.passwords) = login;
    }
    user.status = "modifying".to_owned();
    let at = ctx.due(ctx.timings().modify_user);
    user.due = Some(Due { at, to: Some("active".to_owned()), reason: None });
    let user = user.clone();
    Ok(json!({"User": user_json(ctx, &world.memorydb, &user)}))
}

/// DeleteUser. It leaves every ACL, and with it every cluster.
pub(super) fn delete_user(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "UserName")?.to_ascii_lowercase();
    let mut world = ctx.world();
    let user = active_user(&mut world.memorydb, &name)?;
    user.status = "deleting".to_owned();
    let at = ctx.due(ctx.timings().modify_user);
    user.due = Some(Due { at, to: None, reason: None });
    let user = user.clone();
    Ok(json!({"User": user_json(ctx, &world.memorydb, &user)}))
}

fn active_user<'a>(state: &'a mut MemoryDbState, name: &str) -> Result<&'a mut User, ApiError> {
    if name == "default" {
        return Err(invalid_value("The user default cannot be changed."));
    }
    let user = state.users.get_mut(name).ok_or_else(|| user_not_found(name))?;
    if user.status != "active" {
        return Err(ApiError::bad(
            "InvalidUserStateFault",
            format!("User {name} is not in active state: {}.", user.status),
        ));
    }
    Ok(user)
}

fn active_acl<'a>(state: &'a mut MemoryDbState, name: &str) -> Result<&'a mut Acl, ApiError> {
    if name == super::state::OPEN_ACCESS {
        return Err(invalid_value("The ACL open-access cannot be changed."));
    }
    let missing = || ApiError::bad("ACLNotFoundFault", format!("ACL {name} not found."));
    let acl = state.acls.get_mut(name).ok_or_else(missing)?;
    if acl.status != "active" {
        return Err(ApiError::bad(
            "InvalidACLStateFault",
            format!("ACL {name} is not in active state: {}.", acl.status),
        ));
    }
    Ok(acl)
}

/// UpdateACL. The servers follow when the ACL is `active` again.
pub(super) fn update_acl(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ACLName")?.to_ascii_lowercase();
    let folded = |member: &str| -> Vec<String> {
        texts(input, member).iter().map(|user| user.to_ascii_lowercase()).collect()
    };
    let (add, remove) = (folded("UserNamesToAdd"), folded("UserNamesToRemove"));
    if add.is_empty() && remove.is_empty() {
        return Err(invalid_combination("No users to add or remove."));
    }
    let mut world = ctx.world();
    let state = &mut world.memorydb;
    if let Some(missing) = add.iter().chain(&remove).find(|user| !state.users.contains_key(*user)) {
        return Err(user_not_found(missing));
    }
    if add.iter().any(|user| user == "default") {
        return Err(invalid_value("The user default can be in the ACL open-access only."));
    }
    let acl = active_acl(state, &name)?;
    if let Some(twice) = add.iter().find(|user| acl.users.contains(user)) {
        return Err(ApiError::bad(
            "DuplicateUserNameFault",
            format!("User {twice} is in the ACL {name} already."),
        ));
    }
    if let Some(missing) = remove.iter().find(|user| !acl.users.contains(user)) {
        return Err(user_not_found(missing));
    }
    acl.users.retain(|user| !remove.contains(user));
    acl.users.extend(add);
    acl.status = "modifying".to_owned();
    let at = ctx.due(ctx.timings().acl);
    acl.due = Some(Due { at, to: Some("active".to_owned()), reason: None });
    let acl = acl.clone();
    Ok(json!({"ACL": acl_json(ctx, state, &acl)}))
}

/// DeleteACL. No cluster may use it (MemoryDB API reference, DeleteACL).
pub(super) fn delete_acl(ctx: &Ctx, input: &Value) -> Result<Value, ApiError> {
    let name = need(input, "ACLName")?.to_ascii_lowercase();
    let mut world = ctx.world();
    let state = &mut world.memorydb;
    let user = state.clusters.values().find(|cluster| cluster.acl == name);
    let user = user.map(|cluster| cluster.name.clone());
    let acl = active_acl(state, &name)?;
    if let Some(cluster) = user {
        return Err(ApiError::bad(
            "InvalidACLStateFault",
            format!("ACL {name} is in use by the cluster {cluster}."),
        ));
    }
    acl.status = "deleting".to_owned();
    let at = ctx.due(ctx.timings().acl);
    acl.due = Some(Due { at, to: None, reason: None });
    let acl = acl.clone();
    Ok(json!({"ACL": acl_json(ctx, state, &acl)}))
}

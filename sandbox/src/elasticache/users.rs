//! Users and user groups.

use super::answer;
use super::call::{invalid_combination, invalid_value, page};
use super::state::{Due, ElastiCacheState, User, UserGroup};
use crate::context::Ctx;
use crate::names;
use crate::wire::ApiError;
use crate::wire::query::{Params, Xml};

fn user_not_found(id: &str) -> ApiError {
    ApiError::missing("UserNotFound", format!("User {id} not found."))
}

fn groups_of(state: &ElastiCacheState, user: &str) -> Vec<String> {
    let holds = |group: &&UserGroup| group.users.iter().any(|id| id == user);
    state.user_groups.values().filter(holds).map(|group| group.id.clone()).collect()
}

/// DescribeUsers.
pub(super) fn describe(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let world = ctx.world();
    let state = &world.elasticache;
    let show = |user: &User| answer::user(ctx, user, &groups_of(state, &user.id));
    let items = match params.get("UserId") {
        Some(id) => {
            vec![show(state.users.get(&id.to_ascii_lowercase()).ok_or_else(|| user_not_found(id))?)]
        }
        None => {
            let engine = params.get("Engine");
            let of_engine = |user: &&User| {
                engine.is_none_or(|engine| engine.eq_ignore_ascii_case(&user.engine))
            };
            state.users.values().filter(of_engine).map(show).collect()
        }
    };
    page(params, "Users", items, 100)
}

/// DescribeUserGroups.
pub(super) fn describe_groups(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let world = ctx.world();
    let state = &world.elasticache;
    let show = |group: &UserGroup| {
        let uses = state.groups.values().filter(|g| g.user_groups.contains(&group.id));
        let uses: Vec<_> = uses.map(|g| g.id.clone()).collect();
        let caches = state.caches.values().filter(|c| c.user_group.as_ref() == Some(&group.id));
        let caches: Vec<_> = caches.map(|cache| cache.name.clone()).collect();
        answer::user_group(ctx, group, &uses, &caches)
    };
    let items = match params.get("UserGroupId") {
        Some(id) => {
            let missing = || ApiError::missing("UserGroupNotFound", format!("{id} not found."));
            vec![show(state.user_groups.get(&id.to_ascii_lowercase()).ok_or_else(missing)?)]
        }
        None => state.user_groups.values().map(show).collect(),
    };
    page(params, "UserGroups", items, 100)
}

/// The passwords a request sets: `None` leaves them, an empty list is a user without password.
fn passwords(params: &Params) -> Result<Option<Vec<String>>, ApiError> {
    let mut given = params.list("Passwords");
    given.extend(nested_passwords(params));
    let mode = params.get("AuthenticationMode.Type");
    let none =
        params.flag("NoPasswordRequired") == Some(true) || mode == Some("no-password-required");
    match (none, given.is_empty()) {
        (true, false) => Err(invalid_combination("a user without password cannot have one")),
        (true, true) => Ok(Some(Vec::new())),
        (false, true) => Ok(None),
        (false, false) if given.len() > 2 => Err(invalid_value("a user has at most two passwords")),
        (false, false) if given.iter().any(|p| !(16..=128).contains(&p.len())) => {
            Err(invalid_value("Passwords length must be between 16-128 characters."))
        }
        (false, false) => Ok(Some(given)),
    }
}

fn nested_passwords(params: &Params) -> Vec<String> {
    let name = |n: u8| format!("AuthenticationMode.Passwords.member.{n}");
    (1..=3).filter_map(|n| params.get(&name(n)).map(str::to_owned)).collect()
}

/// ModifyUser. The servers follow when the user is `active` again.
pub(super) fn modify(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let id = params.need("UserId")?.to_ascii_lowercase();
    let passwords = passwords(params)?;
    let mut world = ctx.world();
    let groups = groups_of(&world.elasticache, &id);
    let user = world.elasticache.users.get_mut(&id).ok_or_else(|| user_not_found(&id))?;
    if user.status != "active" {
        return Err(ApiError::bad(
            "InvalidUserState",
            format!("User {id} is not in active state: {}.", user.status),
        ));
    }
    if let Some(access) = params.get("AccessString") {
        user.access_string = access.trim().to_owned();
    }
    if let Some(more) = params.get("AppendAccessString") {
        user.access_string = format!("{} {}", user.access_string, more.trim());
    }
    if let Some(passwords) = passwords {
        user.passwords = passwords;
    }
    user.status = "modifying".to_owned();
    let at = ctx.due(ctx.timings().modify_user);
    user.due = Some(Due { at, to: Some("active".to_owned()), reason: None });
    Ok(answer::user(ctx, user, &groups))
}

/// CreateUser.
pub(super) fn create(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let id = names::folded("UserId", params.need("UserId")?, 40).map_err(invalid_value)?;
    let user = User {
        id: id.clone(),
        name: params.need("UserName")?.to_owned(),
        status: "active".to_owned(),
        due: None,
        engine: params.need("Engine")?.to_ascii_lowercase(),
        access_string: params.need("AccessString")?.trim().to_owned(),
        passwords: passwords(params)?.unwrap_or_default(),
        tags: params.tags(),
    };
    let mut world = ctx.world();
    if world.elasticache.users.contains_key(&id) {
        return Err(ApiError::bad("UserAlreadyExists", format!("User {id} already exists.")));
    }
    let answer = answer::user(ctx, &user, &[]);
    world.elasticache.users.insert(id, user);
    Ok(answer)
}

/// CreateUserGroup.
pub(super) fn create_group(ctx: &Ctx, params: &Params) -> Result<Xml, ApiError> {
    let id =
        names::folded("UserGroupId", params.need("UserGroupId")?, 40).map_err(invalid_value)?;
    let engine = params.need("Engine")?.to_ascii_lowercase();
    let users = params.list("UserIds");
    let mut world = ctx.world();
    let state = &mut world.elasticache;
    if state.user_groups.contains_key(&id) {
        return Err(ApiError::bad("UserGroupAlreadyExists", format!("{id} already exists.")));
    }
    let mut user_names = Vec::new();
    for user in &users {
        let user = state.users.get(user).ok_or_else(|| user_not_found(user))?;
        if user_names.contains(&user.name) {
            return Err(ApiError::bad(
                "DuplicateUserName",
                format!("two users of the group are called {}", user.name),
            ));
        }
        user_names.push(user.name.clone());
    }
    if engine == "redis" && !user_names.iter().any(|name| name == "default") {
        return Err(ApiError::bad(
            "DefaultUserRequired",
            "A user group for Redis needs a user whose name is default.",
        ));
    }
    let group = UserGroup { id: id.clone(), engine, users, tags: params.tags() };
    let answer = answer::user_group(ctx, &group, &[], &[]);
    state.user_groups.insert(id, group);
    Ok(answer)
}

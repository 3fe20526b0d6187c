//! Several users on one device: each has a store of their own, with its own key and outbox, so that
//! what one of them wrote is never sent as another's.

use std::fs;

use serde_json::json;

use crate::{
    cli::UserCommand,
    context::{Context, NAME_CHARS_MAX, folder_of, user_of},
    error::CliError,
    messages::{Word, devices, word},
    output::Output,
    table::Table,
};

/// Runs one of the commands.
pub(crate) fn user(
    context: &Context,
    which: &UserCommand,
    output: &mut Output,
) -> Result<(), CliError> {
    match which {
        UserCommand::Switch { name } => switch(context, name.as_deref(), output),
        UserCommand::List => list(context, output),
    }
}

/// Goes on in the store of a user, which is made if it is not there; without a name in the
/// device's first one.
fn switch(context: &Context, name: Option<&str>, output: &mut Output) -> Result<(), CliError> {
    let name = name.map(str::trim);
    if let Some(name) = name {
        let is_name = !name.is_empty()
            && name.chars().count() <= NAME_CHARS_MAX
            && !name.chars().any(char::is_control);
        if !is_name {
            let words = devices::bad_user_name(NAME_CHARS_MAX, context.language);
            return Err(CliError::Usage(words));
        }
    }
    let switched = context.switch(name)?;
    let was_there = switched.is_initialised();
    switched.open_or_create()?;
    let told = json!({ "user": name, "home": switched.home, "created": !was_there });
    let text = devices::switched(name, &switched.home, context.language);
    output.answer(&told, &text)
}

/// All stores of this device.
fn list(context: &Context, output: &mut Output) -> Result<(), CliError> {
    let file_error = |source| CliError::File { path: context.device_home.clone(), source };
    let mut stores = vec![(None, context.device_home.clone())];
    match fs::read_dir(context.users_folder()) {
        Ok(entries) => {
            for entry in entries {
                let path = entry.map_err(file_error)?.path();
                let name = path.file_name().and_then(|name| name.to_str()).and_then(user_of);
                if let Some(name) = name {
                    stores.push((Some(name), path));
                }
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(file_error(error)),
    }
    stores.sort();
    let mut told = Vec::new();
    for (name, home) in stores {
        let is_current = home == context.home;
        let there = context.at(home.clone())?;
        if name.is_none() && !there.is_initialised() {
            continue;
        }
        let status = there.open()?.status()?;
        debug_assert!(name.as_deref().is_none_or(|name| home.ends_with(folder_of(name))));
        told.push(json!({
            "user": name, "enrolled_as": status.user, "waiting": status.waiting,
            "current": is_current, "home": home,
        }));
    }
    if output.is_json {
        return output.json(&told);
    }
    let head = [Word::User, Word::Enrolled, Word::Waiting, Word::Folder];
    let mut table = Table::new(head.map(|name| word(name, context.language)));
    for one in &told {
        let text = |name: &str| one[name].as_str().unwrap_or("–").to_owned();
        let mark = if one["current"] == true { "* " } else { "  " };
        let user = [mark, &text("user")].concat();
        table.row([user, text("enrolled_as"), one["waiting"].to_string(), text("home")]);
    }
    table.write(output)
}

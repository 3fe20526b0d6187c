//! The commands, one file per subject.

use crate::{cli::Command, context::Context, error::CliError, output::Output};

mod record;
mod show;

mod filter;
mod find;
mod list;

mod past;
mod timeline;

mod note;
mod taps;

mod duplicates;
mod merge;

mod conflict;

mod device;
mod enroll;
mod sync;

pub(crate) mod server;
mod user;

mod batch;
mod export;
mod import;
mod report;

mod bundle;
mod doctor;
mod maintain;
mod schema;
mod store;

/// Runs one command.
pub(crate) fn run(
    context: &Context,
    command: Command,
    output: &mut Output,
) -> Result<(), CliError> {
    match command {
        Command::Init => device::init(context, output),
        Command::Enroll(args) => enroll::enroll(context, &args, output),
        Command::User(which) => user::user(context, &which, output),
        Command::Sync(args) => sync::sync(context, &args, output),
        Command::Status => device::status(context, output),
        Command::Doctor(args) => doctor::doctor(context, &args, output),
        Command::Bundle(args) => bundle::bundle(context, &args, output),
        Command::AuditHead => device::audit_head(context, output),
        Command::List(args) => list::list(context, &args, output),
        Command::Search(args) => find::search(context, &args, output),
        Command::Near(args) => find::near(context, &args, output),
        Command::Watch(args) => list::watch_list(context, &args, output),
        Command::Filter(which) => filter::filter(context, &which, output),
        Command::Get { record } => record::get(context, &record, output),
        Command::Create(args) => record::create(context, &args, output),
        Command::Edit(args) => record::edit(context, &args, output),
        Command::Archive { record } => record::archive(context, &record, output),
        Command::Restore { record } => record::restore(context, &record, output),
        Command::Links { record } => record::links(context, &record, output),
        Command::Timeline(args) => timeline::timeline(context, &args, output),
        Command::Convert { lead } => taps::convert(context, &lead, output),
        Command::Complete(args) => taps::complete(context, &args, output),
        Command::CheckIn(args) => taps::check_in(context, &args, output),
        Command::CheckOut(args) => taps::check_out(context, &args, output),
        Command::UsePart(args) => taps::use_part(context, &args, output),
        Command::History(args) => past::history(context, &args, output),
        Command::Undo(args) => past::undo(context, &args, output),
        Command::Note(args) => note::note(context, &args, output),
        Command::Duplicates(args) => duplicates::duplicates(context, &args, output),
        Command::Merge(args) => merge::merge(context, &args, output),
        Command::Unmerge { record } => merge::unmerge(context, &record, output),
        Command::Distinct(args) => merge::distinct(context, &args, output),
        Command::Conflicts { record } => conflict::list(context, record.as_deref(), output),
        Command::Settle(args) => conflict::settle(context, &args, output),
        Command::Outbox(args) => device::outbox(context, args.limit, output),
        Command::Inbox(args) => device::inbox(context, args.limit, output),
        Command::Ask { id, reason } => device::ask(context, id, &reason, output),
        Command::Dismiss { id } => device::dismiss(context, id, output),
        Command::Import(args) => import::import(context, &args, output),
        Command::Imports(args) => import::list(context, args.limit, output),
        Command::UndoImport { id } => import::undo(context, id, output),
        Command::Report(which) => report::report(context, &which, output),
        Command::Export(args) => export::export(context, &args, output),
        Command::Batch => batch::batch(context, output),
        Command::Schema { entity } => schema::show(context, entity.as_deref(), output),
        Command::Rebuild => maintain::rebuild(context, output),
        Command::Check => maintain::check(context, output),
        Command::Storage => store::storage(context, output),
        Command::Store(which) => store::store(context, &which, output),
        // They are no commands of a device; `main` hands them to the server.
        Command::Demo(_)
        | Command::Serve { .. }
        | Command::Code { .. }
        | Command::Device { .. }
        | Command::Password { .. }
        | Command::Server { .. }
        | Command::Audit { .. } => Ok(()),
    }
}

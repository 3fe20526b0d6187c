//! What one press of a button does: convert, complete, check in and out, use a part.

use outrider_core::{
    domain::taps::{Arrival, CheckEvent, Completion, PartUsed},
    ids::RecordId,
    replica::Replica,
    schema::{TextHints, Type},
};
use serde_json::{Value as Json, json};

use crate::{
    cli::{CheckInArgs, CheckOutArgs, CompleteArgs, UsePartArgs},
    context::Context,
    error::CliError,
    fields,
    messages::{Word, word},
    output::Output,
    record_ref,
};

/// Makes a lead a customer with a contact and an opportunity.
pub(crate) fn convert(context: &Context, lead: &str, output: &mut Output) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let lead = record_ref::find(&replica, lead)?;
    let made = replica.convert_lead(lead)?;
    let answer = json!({
        "lead": lead, "customer": made.customer, "contact": made.contact,
        "opportunity": made.opportunity,
    });
    let lines = ["customer", "contact", "opportunity"]
        .map(|name| format!("{} {}", label(context, name), made_id(&answer, name)));
    output.answer(&answer, &lines.join("\n"))
}

fn made_id(answer: &Json, name: &str) -> String {
    answer.get(name).and_then(Json::as_str).unwrap_or_default().to_owned()
}

fn label(context: &Context, entity: &str) -> String {
    let known = outrider_core::schema::Schema::current().entity(entity);
    known.map_or_else(|| entity.to_owned(), |known| known.label.get(context.language).to_owned())
}

/// Marks an activity as held and tells what happened.
pub(crate) fn complete(
    context: &Context,
    args: &CompleteArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let activity = record_ref::find(&replica, &args.activity)?;
    let outcome = choice(&replica, "activity", args.outcome.as_deref())?;
    let said = Completion { outcome, note: args.note.clone() };
    let interaction = replica.complete_activity(activity, &said)?;
    let answer = json!({ "record": activity, "interaction": interaction });
    let words = interaction.map_or_else(
        || word(Word::Changed, context.language).to_owned(),
        |interaction| format!("{} {interaction}", label(context, "interaction")),
    );
    output.answer(&answer, &words)
}

/// Records that somebody comes to a visit, pauses, or goes on.
pub(crate) fn check_in(
    context: &Context,
    args: &CheckInArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let event = match (args.pause, args.resume) {
        (true, _) => CheckEvent::Pause,
        (false, true) => CheckEvent::Resume,
        (false, false) => CheckEvent::In,
    };
    let said = Arrival {
        geo: position(args.geo.as_deref())?,
        note: args.note.clone(),
        ..Arrival::default()
    };
    record_check(context, &args.visit, event, said, output)
}

/// Records that somebody leaves.
pub(crate) fn check_out(
    context: &Context,
    args: &CheckOutArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let event = if args.force { CheckEvent::ForcedOut } else { CheckEvent::Out };
    let said = Arrival {
        geo: position(args.geo.as_deref())?,
        outcome: choice(&context.open()?, "visit", args.outcome.as_deref())?,
        note: args.note.clone(),
        ..Arrival::default()
    };
    record_check(context, &args.visit, event, said, output)
}

fn record_check(
    context: &Context,
    visit: &str,
    event: CheckEvent,
    said: Arrival,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let visit = record_ref::find(&replica, visit)?;
    let check_in = replica.check_in(visit, event, &said)?;
    let shown = |record: RecordId, field: &str| -> Result<Json, CliError> {
        Ok(replica.get(record)?.and_then(|json| json.get(field).cloned()).unwrap_or(Json::Null))
    };
    let (verdict, status) = (shown(check_in, "verdict")?, shown(visit, "status")?);
    let answer = json!({
        "record": visit, "check_in": check_in, "verdict": verdict, "status": status,
    });
    let words = [("check_in", "verdict", &verdict), ("visit", "status", &status)].map(
        |(entity, field, value)| {
            let value = outrider_core::value::Value::from(value.as_str().unwrap_or_default());
            let schema = outrider_core::schema::Schema::current();
            let field = schema.entity(entity).and_then(|entity| entity.field(field));
            field.map(|field| field.ty.display(&value, context.language)).unwrap_or_default()
        },
    );
    output.answer(&answer, &words.join(", "))
}

/// Records a part that was used on a visit, and takes it from stock.
pub(crate) fn use_part(
    context: &Context,
    args: &UsePartArgs,
    output: &mut Output,
) -> Result<(), CliError> {
    let mut replica = context.open()?;
    let visit = record_ref::find(&replica, &args.visit)?;
    let named = |entity: &str, text: &str| {
        let entity = replica.entity(entity).map_err(CliError::from)?;
        record_ref::find_of(&replica, text, entity)
    };
    let product = named("product", &args.product)?;
    let location = args.from.as_deref().map(|text| named("stock_location", text)).transpose()?;
    let part =
        PartUsed { product, qty: args.quantity.clone(), location, serial_no: args.serial.clone() };
    let stock_move = replica.use_part(visit, &part)?;
    let left = replica.get(product)?.and_then(|json| json.get("stock_quantity").cloned());
    let answer = json!({ "record": visit, "stock_move": stock_move, "stock_quantity": left });
    output.answer(&answer, &format!("{} {stock_move}", label(context, "stock_move")))
}

/// The id of a choice of the entity's `outcome`, from any spelling of it.
fn choice(replica: &Replica, entity: &str, text: Option<&str>) -> Result<Option<String>, CliError> {
    let field = replica.entity(entity)?.field("outcome");
    let (Some(text), Some(field)) = (text, field) else { return Ok(None) };
    Ok(fields::value(replica, field, text)?.as_str().map(str::to_owned))
}

fn position(text: Option<&str>) -> Result<Option<Json>, CliError> {
    let Some(text) = text else { return Ok(None) };
    let value = Type::Geo
        .from_text(text, &TextHints::default())
        .map_err(|error| CliError::Usage(format!("--geo: {error}")))?;
    Ok(Some(Type::Geo.to_json(&value)))
}

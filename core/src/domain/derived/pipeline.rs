//! Chances and ends of opportunities.

use rust_decimal::Decimal;
use serde_json::Value as Json;

use super::{
    Record,
    amounts::{factor, read, times},
    rows, text,
};
use crate::{
    schema::{Entity, StageType, Type},
    value::Money,
};

/// The chance of winning in percent: the record's own, else that of its stage; a stage on hold
/// keeps that of the last stage in the history that has one.
pub(super) fn chance(entity: &Entity, record: &Record) -> Option<i64> {
    if let Some(own) = record.get("probability").and_then(Json::as_i64) {
        return Some(own);
    }
    let field = entity.field("sales_stage")?;
    let Type::Picklist(stages) = &field.ty else { return None };
    let stage = stages.choice(text(record, "sales_stage")?)?;
    if stage.stage_type != Some(StageType::Hold) {
        return stage.probability.map(i64::from);
    }
    let history = rows(record, "stages")?;
    let moves = history.iter().rev().filter_map(|entry| entry.get("to_stage")?.as_str());
    moves.filter_map(|id| stages.choice(id)?.probability).map(i64::from).next()
}

pub(super) fn weighted_amount(entity: &Entity, record: &Record) -> Option<Money> {
    let amount = read(record.get("expected_amount"))?;
    times(&amount, factor(Decimal::from(chance(entity, record)?))?)
}

/// When it was won or lost: the last move to the stage where it stands.
pub(super) fn closed_at(record: &Record) -> Option<Json> {
    let stage = text(record, "sales_stage").filter(|stage| matches!(*stage, "won" | "lost"))?;
    let there = |entry: &&Json| entry.get("to_stage").and_then(Json::as_str) == Some(stage);
    rows(record, "stages")?.iter().rev().find(there)?.get("at").cloned()
}

/// A lost opportunity says why: the rank of `lost` beats open stages of other people whether or
/// not it does, so that every replica agrees, and this tells its owner that a reason is missing.
pub(super) fn needs_reason(record: &Record) -> Option<Json> {
    let is_lost = text(record, "sales_stage") == Some("lost");
    (is_lost && record.get("lost_reason").is_none_or(Json::is_null)).then_some(Json::Bool(true))
}

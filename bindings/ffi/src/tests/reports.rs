//! Sums as each language reads them.

use super::{customer, open};
use crate::{
    records::{CrmChanges, OpportunityChange},
    values::{DecimalNumber, Money},
};

/// Sums of four digits came with a comma, which no language reads as a number.
#[test]
fn sums_are_plain_numbers() {
    let (_folder, replica) = open();
    let customer = customer(&replica, "Acme");
    let amount =
        Money { amount: DecimalNumber("1234567.5".to_owned()), currency: "EUR".to_owned() };
    let fields = vec![
        OpportunityChange::Name(Some("Pumps".to_owned())),
        OpportunityChange::CustomerId(Some(customer)),
        OpportunityChange::SalesStage(Some("proposal".to_owned())),
        OpportunityChange::ExpectedAmount(Some(amount)),
    ];
    replica.create(CrmChanges::Opportunity(fields)).unwrap();
    let report = replica.pipeline_report().unwrap();
    assert_eq!(report[0].open_amount, DecimalNumber("1234567.50".to_owned()));
    let stage = report[0].by_stage.iter().find(|line| line.stage.as_deref() == Some("proposal"));
    assert_eq!(stage.unwrap().amount, DecimalNumber("1234567.50".to_owned()));
}

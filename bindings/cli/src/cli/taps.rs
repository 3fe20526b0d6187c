//! What can be typed to do what one press of a button does.

use clap::Args;

/// Arguments of `complete`.
#[derive(Debug, Args)]
pub(crate) struct CompleteArgs {
    /// The activity
    pub(crate) activity: String,
    /// What came of it: a choice of `activity_outcome`, such as reached
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<String>,
    /// What happened, in words
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
}

/// Arguments of `check-in`.
#[derive(Debug, Args)]
pub(crate) struct CheckInArgs {
    /// The visit
    pub(crate) visit: String,
    /// Where this is: "31.2304, 121.4737 ±5"
    #[arg(long, value_name = "POSITION", allow_hyphen_values = true)]
    pub(crate) geo: Option<String>,
    /// A remark
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Pause the visit instead
    #[arg(long, conflicts_with = "resume")]
    pub(crate) pause: bool,
    /// Go on after a pause
    #[arg(long)]
    pub(crate) resume: bool,
}

/// Arguments of `check-out`.
#[derive(Debug, Args)]
pub(crate) struct CheckOutArgs {
    /// The visit
    pub(crate) visit: String,
    /// What came of it: a choice of `visit_outcome`, such as done
    #[arg(long, value_name = "OUTCOME")]
    pub(crate) outcome: Option<String>,
    /// Where this is: "31.2304, 121.4737 ±5"
    #[arg(long, value_name = "POSITION", allow_hyphen_values = true)]
    pub(crate) geo: Option<String>,
    /// A remark
    #[arg(long, value_name = "TEXT")]
    pub(crate) note: Option<String>,
    /// Leave although required rows of the checklist are open
    #[arg(long)]
    pub(crate) force: bool,
}

/// Arguments of `use-part`.
#[derive(Debug, Args)]
pub(crate) struct UsePartArgs {
    /// The visit
    pub(crate) visit: String,
    /// The product
    pub(crate) product: String,
    /// How much
    #[arg(default_value = "1")]
    pub(crate) quantity: String,
    /// The stock location that it was taken from; by default this user's van
    #[arg(long, value_name = "LOCATION")]
    pub(crate) from: Option<String>,
    /// Its serial number
    #[arg(long, value_name = "NUMBER")]
    pub(crate) serial: Option<String>,
}

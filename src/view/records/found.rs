//! The answer of a search, and what a trace says about a name.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::SearchView;

/// What a result of a search is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HitKind {
    Product,
    Location,
    Lot,
    Package,
    Order,
    Device,
    Operator,
    Picking,
    Reason,
    Document,
    Rejected,
    Event,
}

impl HitKind {
    pub const ALL: [Self; 12] = [
        Self::Product,
        Self::Location,
        Self::Lot,
        Self::Package,
        Self::Order,
        Self::Device,
        Self::Operator,
        Self::Picking,
        Self::Reason,
        Self::Document,
        Self::Rejected,
        Self::Event,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Product => "product",
            Self::Location => "location",
            Self::Lot => "lot",
            Self::Package => "package",
            Self::Order => "order",
            Self::Device => "device",
            Self::Operator => "operator",
            Self::Picking => "picking",
            Self::Reason => "reason",
            Self::Document => "document",
            Self::Rejected => "rejected",
            Self::Event => "event",
        }
    }

    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A result of a search.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hit {
    pub kind: HitKind,
    /// `trace` takes it.
    pub id: String,
    /// When it was done; for a name, its newest event or document.
    pub at: Timestamp,
    /// A description for people.
    pub title: String,
    /// The state of the event, document, picking or rejected reading. `None`: the result is a name.
    pub state: Option<String>,
    /// A raw scan of a device that has no flow: it moved no stock.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unused: bool,
    /// The answer of its flow to a raw scan that the flow did not accept: the scan moved no stock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wrong: Option<String>,
}

/// A page of results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HitPage {
    pub results: Vec<Hit>,
    /// How many results all pages have.
    pub total: u64,
    /// False: there are at least so many.
    pub total_exact: bool,
    /// Continue with `after` = this. `None`: this is the last page.
    pub next: Option<String>,
    /// Events that the index does not have yet: a search reads each of them.
    pub not_indexed: u64,
    /// `None`: the request has searched everything that it had to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<SearchView>,
}

/// The name that was traced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NameView {
    pub kind: HitKind,
    pub id: String,
}

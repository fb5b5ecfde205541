//! The Odoo of an old journal: the stand-in, with what the old version had posted.

use std::time::Duration;

use serde_json::json;
use stockrelay::demo::odoo::seed::{bin_barcode, product_barcode};
use stockrelay::document::{DocumentNumber, State};
use stockrelay::event::Seq;

use super::gateway::Gateway;
use crate::scenarios::target::{Target, Wanted};

/// How many documents of the old journal are posted.
const POSTED: usize = 13;
/// The product that is kept in kilograms.
pub const KILO: &str = "4099999999996";

#[derive(Debug, Clone, Copy)]
pub enum P {
    /// A seeded product.
    Seeded(usize),
    Kilo,
}

impl P {
    pub fn barcode(self) -> String {
        match self {
            Self::Seeded(number) => product_barcode(number),
            Self::Kilo => KILO.to_owned(),
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub enum B {
    Bin(usize),
    /// Where receipts go that name no bin.
    Stock,
}

pub struct Site {
    pub target: Target,
}

impl Site {
    /// With the orders and the product that `tests/journals/make` made, in its order: they get the
    /// same names and ids.
    pub async fn build() -> Self {
        let site = Self {
            target: Target::stand_in(Duration::ZERO).await,
        };
        let sales: [&[(usize, f64)]; 3] = [
            &[(110, 5.0), (111, 2.0)],
            &[(112, 4.0)],
            &[(113, 3.0), (114, 1.0)],
        ];
        for (number, lines) in sales.into_iter().enumerate() {
            let (name, _) = site.target.sale(&site.wanted(lines).await, 1).await;
            assert_eq!(name, format!("S0000{}", number + 1));
        }
        for (number, line) in [(120, 6.0), (121, 8.0), (50, 20.0)].into_iter().enumerate() {
            let (name, _) = site.target.purchase(&site.wanted(&[line]).await, 1).await;
            assert_eq!(name, format!("P0000{}", number + 1));
        }
        let kilogram = site
            .target
            .find("uom.uom", json!([["name", "=", "kg"]]))
            .await;
        let kilo = json!({
            "name": "Kilo", "default_code": "KILO", "barcode": KILO, "type": "consu",
            "is_storable": true, "tracking": "none", "uom_id": kilogram,
        });
        site.target.made("product.product", kilo).await;
        site
    }

    async fn wanted(&self, lines: &[(usize, f64)]) -> Vec<Wanted> {
        let mut wanted = Vec::new();
        for (product, quantity) in lines {
            wanted.push((self.product(P::Seeded(*product)).await, *quantity).into());
        }
        wanted
    }

    async fn product(&self, product: P) -> i64 {
        let domain = json!([["barcode", "=", product.barcode()]]);
        self.target.find("product.product", domain).await
    }

    pub async fn quantity(&self, product: P, place: B) -> f64 {
        let place = match place {
            B::Bin(number) => self.target.location(&bin_barcode(number)).await,
            B::Stock => {
                let domain = json!([["complete_name", "=", "WH/Stock"]]);
                self.target.find("stock.location", domain).await
            }
        };
        self.target
            .quantity(self.product(product).await, place)
            .await
    }

    /// Posts the documents that the old journal says are posted, and the one that was being sent:
    /// a call without an answer may have done all of its work. Another gateway does it, with a
    /// journal that has the same events and documents, so the external ids are the same.
    pub async fn post_what_is_posted(&self) {
        let old = Gateway::holding_the_old_journal();
        let mut earlier = Gateway::empty();
        let posted = copy_what_is_posted(&old, &earlier).await;
        earlier.config.odoo = self.target.config(&earlier.key_file());
        earlier.start().await;
        let is_posted = |status: &serde_json::Value| status["documents"]["posted"] == json!(posted);
        earlier
            .until("the earlier days are posted", is_posted)
            .await;
        earlier.stop().await;
    }
}

/// Answers how many documents that are.
async fn copy_what_is_posted(old: &Gateway, earlier: &Gateway) -> usize {
    let (journal, writer) = old.journal();
    let (copy, copy_writer) = earlier.journal();
    let events = journal.events(Seq::ZERO, 1_000).unwrap();
    let last = events.last().unwrap().seq;
    let decoded = events.into_iter().map(|recorded| Ok(recorded.event));
    copy.inbox().append(decoded.collect()).await.unwrap();
    assert_eq!(
        copy.events(Seq::ZERO, 1_000).unwrap().last().unwrap().seq,
        last
    );
    let mut documents = Vec::new();
    for state in [State::Posted, State::Sending] {
        for entry in journal
            .documents(Some(state), DocumentNumber::ZERO, 1_000)
            .unwrap()
        {
            let mut document = entry.document;
            document.number = DocumentNumber::new(documents.len() as u64 + 1);
            document.corrects = None;
            documents.push(document);
        }
    }
    let has = |seq: &Seq| {
        documents
            .iter()
            .any(|document| document.events.contains(seq))
    };
    let skipped = (1..=last.get())
        .map(Seq::new)
        .filter(|seq| !has(seq))
        .collect();
    let count = documents.len();
    assert_eq!(count, POSTED + 1);
    copy.inbox().seal(documents, skipped, last).await.unwrap();
    for (journal, writer) in [(journal, writer), (copy, copy_writer)] {
        journal.inbox().close().await.unwrap();
        drop(journal);
        writer.join().unwrap();
    }
    count
}

//! A tiny model of Odoo, with documents of every nature and calls with every fault.

use rust_decimal::Decimal;

use super::*;
use crate::document::DocumentKey;
use crate::odoo::{PickingLine, TransferLine};
use crate::odoo_id::{LocationId, ProductId};

/// The fault of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    None,
    /// The call never arrives.
    LostBefore,
    /// The call is carried out, but its answer never arrives.
    LostAfter,
    /// Like [`Self::LostAfter`], after a long time.
    TimedOut,
    Conflict,
    Busy,
    BadKey,
}

/// How Odoo treats a document, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nature {
    Good,
    /// `load` names the document's row.
    RefusedByLoad,
    /// `load` conflicts with other transactions this many times, and does not name the document
    /// that the conflict is about.
    ConflictsInLoad(u32),
    /// `button_validate` refuses the whole call.
    RefusedByValidate,
    /// A user validates the picking before our `button_validate`, which Odoo 17 then refuses.
    ValidatedByOther,
    /// `button_validate` returns a wizard and posts no picking of the call.
    Wizard,
    /// Odoo refuses to write the true time.
    Closed,
    /// Odoo rounds the quantity.
    Rounded,
    /// No call of `load` with this document is answered.
    SilentInLoad,
    /// No call of `button_validate` with this document is answered.
    SilentInValidate,
}

#[derive(Debug, Default)]
pub(super) struct Peer {
    pub(super) natures: BTreeMap<DocumentNumber, Nature>,
    pub(super) ids: BTreeMap<DocumentKey, PickingId>,
    pub(super) pickings: BTreeMap<PickingId, Picking>,
    /// How often each picking moved stock.
    pub(super) moved: BTreeMap<PickingId, u32>,
    pub(super) dated: BTreeSet<PickingId>,
    pub(super) faults: VecDeque<Fault>,
    /// The documents of each call of `load`.
    pub(super) loads: Vec<usize>,
    pub(super) calls: u32,
    /// Calls that got no answer because of a document in them.
    pub(super) silent: u32,
    pub(super) answers_pings: bool,
}

fn number_of(key: DocumentKey) -> DocumentNumber {
    DocumentNumber::new(u64::from_be_bytes(key.0[..8].try_into().unwrap()))
}

pub(super) fn transfer(number: u64) -> Transfer {
    let mut key = [0; 16];
    key[..8].copy_from_slice(&number.to_be_bytes());
    let line = TransferLine {
        product: ProductId::new(i64::try_from(number).unwrap()),
        from: LocationId::new(1),
        to: LocationId::new(2),
        quantity: Decimal::from(3),
        ..TransferLine::default()
    };
    Transfer {
        key: DocumentKey(key),
        group: "PDA-07".to_owned(),
        about: None,
        header: None,
        returned: Vec::new(),
        lines: vec![line],
        when: Some(Timestamp::UNIX_EPOCH),
    }
}

impl Peer {
    pub(super) fn nature(&self, id: PickingId) -> Nature {
        let number = self
            .ids
            .iter()
            .find(|(_, known)| **known == id)
            .map(|(key, _)| number_of(*key));
        number
            .and_then(|n| self.natures.get(&n).copied())
            .unwrap_or(Nature::Good)
    }

    fn load(&mut self, transfers: &[&Transfer]) -> Result<Vec<PickingId>, Failure> {
        self.loads.push(transfers.len());
        let nature = |t: &&Transfer| self.natures.get(&number_of(t.key));
        if transfers
            .iter()
            .any(|t| nature(t) == Some(&Nature::SilentInLoad))
        {
            self.silent += 1;
            return Err(silence());
        }
        for transfer in transfers {
            let nature = self.natures.get_mut(&number_of(transfer.key));
            if let Some(Nature::ConflictsInLoad(left @ 1..)) = nature {
                *left -= 1;
                return Err(Failure::person("konnte Zugriff nicht serialisieren"));
            }
        }
        let documents: Vec<_> = transfers
            .iter()
            .enumerate()
            .filter(|(_, t)| self.natures.get(&number_of(t.key)) == Some(&Nature::RefusedByLoad))
            .map(|(place, _)| (place, "no such product".to_owned()))
            .collect();
        if !documents.is_empty() {
            return Err(Failure::Person {
                message: "refused".to_owned(),
                documents,
            });
        }
        Ok(transfers
            .iter()
            .map(|transfer| self.create(transfer))
            .collect())
    }

    pub(super) fn create(&mut self, transfer: &Transfer) -> PickingId {
        let next = PickingId::new(100 + i64::try_from(self.ids.len()).unwrap());
        let id = *self.ids.entry(transfer.key).or_insert(next);
        let rounded = self.nature(id) == Nature::Rounded;
        self.pickings.entry(id).or_insert_with(|| Picking {
            id,
            name: Some(format!("WH/INT/{id}")),
            state: PickingState::Assigned,
            lines: transfer
                .lines
                .iter()
                .map(|line| held(line, rounded))
                .collect(),
        });
        id
    }

    fn validate(&mut self, ids: &[PickingId]) -> Result<(), Failure> {
        assert!(!ids.is_empty(), "nothing to validate");
        let open: Vec<_> = ids
            .iter()
            .filter(|id| self.pickings[id].state == PickingState::Assigned)
            .copied()
            .collect();
        if open
            .iter()
            .any(|id| self.nature(*id) == Nature::SilentInValidate)
        {
            self.silent += 1;
            return Err(silence());
        }
        if open
            .iter()
            .any(|id| self.nature(*id) == Nature::RefusedByValidate)
        {
            return Err(Failure::person("you need to supply a lot"));
        }
        let other = |id: &&PickingId| self.nature(**id) == Nature::ValidatedByOther;
        if let Some(id) = ids.iter().find(other) {
            let picking = self.pickings.get_mut(id).unwrap();
            if picking.state == PickingState::Assigned {
                picking.state = PickingState::Done;
                *self.moved.entry(*id).or_default() += 1;
            }
            return Err(Failure::person("it is done"));
        }
        if open.iter().any(|id| self.nature(*id) == Nature::Wizard) {
            return Ok(());
        }
        for id in open {
            self.pickings.get_mut(&id).unwrap().state = PickingState::Done;
            *self.moved.entry(id).or_default() += 1;
        }
        Ok(())
    }

    fn read(&self, ids: &[PickingId]) -> Vec<Picking> {
        ids.iter()
            .filter_map(|id| self.pickings.get(id).cloned())
            .collect()
    }

    fn set_done(
        &mut self,
        done: &[(PickingId, Option<Timestamp>)],
    ) -> Result<Vec<Picking>, Failure> {
        if done
            .iter()
            .any(|(id, _)| self.nature(*id) == Nature::Closed)
        {
            return Err(Failure::person("the period is closed"));
        }
        let ids: Vec<_> = done.iter().map(|(id, _)| *id).collect();
        self.dated.extend(&ids);
        Ok(self.read(&ids))
    }

    fn perform(&mut self, command: &Command<'_>) -> Input {
        let result = match command {
            Command::Load(transfers) => self.load(transfers).map(Input::Loaded),
            Command::Read(ids) => Ok(Input::Pickings(self.read(ids))),
            Command::Validate(sent) => {
                let ids: Vec<_> = sent.iter().map(|(id, _)| *id).collect();
                self.validate(&ids).map(|()| Input::Validated)
            }
            Command::SetDone(done) => self.set_done(done).map(Input::Pickings),
            Command::Probe => Ok(Input::Probed),
            _ => Ok(Input::Refreshed),
        };
        result.unwrap_or_else(Input::Failed)
    }

    /// One call with the next fault.
    pub(super) fn call(&mut self, command: &Command<'_>) -> Input {
        if *command == Command::Ping {
            let lost = || Err(Failure::wait("no answer"));
            return Input::Ping(self.answers_pings.then_some(()).map_or_else(lost, Ok));
        }
        self.calls += 1;
        let slow = |slow| {
            Input::Failed(Failure::Wait {
                message: "no answer".to_owned(),
                after: None,
                slow,
            })
        };
        match self.faults.pop_front().unwrap_or(Fault::None) {
            Fault::None => self.perform(command),
            Fault::LostBefore => slow(false),
            Fault::Conflict => Input::Failed(Failure::wait("could not serialize access")),
            Fault::LostAfter => {
                self.perform(command);
                slow(false)
            }
            Fault::TimedOut => {
                self.perform(command);
                slow(true)
            }
            Fault::Busy => Input::Failed(Failure::Wait {
                message: "HTTP 429".to_owned(),
                after: Some(Duration::from_mins(5)),
                slow: false,
            }),
            Fault::BadKey => Input::Failed(Failure::stop("HTTP 401", "put a new key")),
        }
    }
}

pub(super) fn silence() -> Failure {
    Failure::Wait {
        message: "no answer".to_owned(),
        after: None,
        slow: true,
    }
}

fn held(line: &TransferLine, rounded: bool) -> PickingLine {
    PickingLine {
        product_id: Some(line.product),
        location_id: Some(line.from),
        location_dest_id: Some(line.to),
        lot_id: None,
        lot_name: None,
        owner_id: None,
        package_id: None,
        result_package_id: None,
        quantity_product_uom: serde_json::Number::from(if rounded { 4 } else { 3 }),
    }
}

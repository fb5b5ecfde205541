//! Side storage: small values that must survive a restart but are no events, such as sessions,
//! retained messages and claims.
//!
//! Each kind of value has its own [`Namespace`]. Code reads and writes values by namespace and name
//! and never sees the prefix that the journal's file has before the name. The prefixes are stored:
//! they never change.

use std::fmt;

/// One kind of side value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// By device and client id: what a persistent session of the front door subscribed to.
    Sessions,
    /// By device, client id and number: messages that a device has not received yet.
    Missed,
    /// By device, client id and packet id: QoS 2 publishes that the client has not released yet.
    Received,
    /// By topic: retained messages.
    Retained,
    /// By topic: the MQTT properties of retained messages.
    Properties,
    /// By device: the state of the device's clock.
    DeviceClocks,
    /// By device: the unfinished movement of a flow.
    FlowStates,
    /// One value: up to which event the flows have read.
    FlowCursor,
    /// By id of a line in Odoo: the document that claims the line.
    Claims,
    /// By document number: when the gateway abandoned a call. The call may still have an effect in
    /// Odoo.
    LateCalls,
    /// By place: posted counts.
    Counts,
    /// By place: when goods left the place or arrived there.
    Spans,
    /// By place: posted counts in the text form of older versions.
    OlderCounts,
    /// One value: the last time at which the clock of the gateway was correct.
    ClockRight,
    /// One value: when a new journal replaced a lost one.
    LostJournal,
    /// One value: the mark of a restored journal.
    Restored,
    /// One value: when the last backup was made.
    LastBackup,
    /// By increasing number: the pauses of sending, the newest of which may be on.
    Pauses,
    /// One value: the gateway's number in Odoo.
    Fence,
}

impl Namespace {
    pub const ALL: [Self; 19] = [
        Self::Sessions,
        Self::Missed,
        Self::Received,
        Self::Retained,
        Self::Properties,
        Self::DeviceClocks,
        Self::FlowStates,
        Self::FlowCursor,
        Self::Claims,
        Self::LateCalls,
        Self::Counts,
        Self::Spans,
        Self::OlderCounts,
        Self::ClockRight,
        Self::LostJournal,
        Self::Restored,
        Self::LastBackup,
        Self::Pauses,
        Self::Fence,
    ];

    /// The namespaces of the front door.
    pub const FRONT_DOOR: [Self; 5] = [
        Self::Sessions,
        Self::Missed,
        Self::Received,
        Self::Retained,
        Self::Properties,
    ];

    /// How the stored keys of the namespace begin. In a namespace with one value: the whole key.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Sessions => "session/",
            Self::Missed => "missed/",
            Self::Received => "received/",
            Self::Retained => "retained/",
            Self::Properties => "properties/",
            Self::DeviceClocks => "device-clock/",
            Self::FlowStates => "flow/",
            Self::FlowCursor => "flow-cursor",
            Self::Claims => "claimed/",
            Self::LateCalls => "late/",
            Self::Counts => "book/counts/",
            Self::Spans => "book/spans/",
            Self::OlderCounts => "counted/",
            Self::ClockRight => "clock/right",
            Self::LostJournal => "journal/lost",
            Self::Restored => "journal/restored",
            Self::LastBackup => "journal/backup",
            Self::Pauses => "pause/",
            Self::Fence => "gateway/number",
        }
    }

    /// The key of a value in this namespace.
    #[must_use]
    pub fn key(self, name: impl Into<String>) -> SideKey {
        SideKey {
            namespace: self,
            name: name.into(),
        }
    }

    /// The key of the value in a namespace that holds one value.
    #[must_use]
    pub fn only_key(self) -> SideKey {
        self.key("")
    }
}

/// A side value with its key.
pub type SideValue = (SideKey, Vec<u8>);

/// A change in side storage: the new value, or `None` to remove the value.
pub type SideChange = (SideKey, Option<Vec<u8>>);

/// The key of a side value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SideKey {
    namespace: Namespace,
    name: String,
}

impl SideKey {
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        self.namespace
    }

    /// The key without the prefix of the namespace.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The length of the stored key in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.namespace.prefix().len() + self.name.len()
    }
}

/// The key as it is stored.
impl fmt::Display for SideKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.namespace.prefix(), self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::Journal;
    use super::*;

    /// Keys as every version has written them.
    const WRITTEN: [(&str, Namespace, &str); 19] = [
        ("session/pda-1/a%2Fb", Namespace::Sessions, "pda-1/a%2Fb"),
        (
            "missed/pda-1/x/00000007",
            Namespace::Missed,
            "pda-1/x/00000007",
        ),
        (
            "received/pda-1/x/65535",
            Namespace::Received,
            "pda-1/x/65535",
        ),
        (
            "retained/stockrelay/v1/s/pda-1/state",
            Namespace::Retained,
            "stockrelay/v1/s/pda-1/state",
        ),
        (
            "properties/stockrelay/v1/s/pda-1/state",
            Namespace::Properties,
            "stockrelay/v1/s/pda-1/state",
        ),
        ("device-clock/pda-1", Namespace::DeviceClocks, "pda-1"),
        ("flow/pda-1", Namespace::FlowStates, "pda-1"),
        ("flow-cursor", Namespace::FlowCursor, ""),
        ("claimed/42", Namespace::Claims, "42"),
        ("late/9", Namespace::LateCalls, "9"),
        ("book/counts/1/5/-/9/-", Namespace::Counts, "1/5/-/9/-"),
        ("book/spans/1/?/2/-/-", Namespace::Spans, "1/?/2/-/-"),
        ("counted/1/5/-/-/-", Namespace::OlderCounts, "1/5/-/-/-"),
        ("clock/right", Namespace::ClockRight, ""),
        ("journal/lost", Namespace::LostJournal, ""),
        ("journal/restored", Namespace::Restored, ""),
        ("journal/backup", Namespace::LastBackup, ""),
        ("pause/00000001", Namespace::Pauses, "00000001"),
        ("gateway/number", Namespace::Fence, ""),
    ];

    #[test]
    fn keys_are_stored_as_every_version_has_written_them() {
        for (stored, namespace, name) in WRITTEN {
            let key = namespace.key(name);
            assert_eq!(key.to_string(), stored);
            assert_eq!(key.bytes(), stored.len());
        }
    }

    #[test]
    fn the_list_has_each_namespace_once() {
        let written = WRITTEN.map(|(_, namespace, _)| namespace);
        assert_eq!(Namespace::ALL, written);
    }

    #[tokio::test]
    async fn a_journal_of_an_older_version_is_read_by_namespace() {
        let dir = tempfile::tempdir().unwrap();
        let settings = crate::config::Journal::default();
        let (journal, writer) = Journal::open(dir.path(), &settings).unwrap();
        journal.inbox().close().await.unwrap();
        drop((journal, writer));
        write_as_older_versions_did(&dir.path().join(super::super::FILE));

        let (journal, _writer) = Journal::open(dir.path(), &settings).unwrap();
        for (stored, namespace, name) in WRITTEN {
            let value = (name.to_owned(), stored.as_bytes().to_vec());
            assert_eq!(journal.read_namespace(namespace).unwrap(), [value]);
        }
        let front_door = journal.read_namespaces(&Namespace::FRONT_DOOR).unwrap();
        let keys: Vec<_> = front_door.iter().map(|(key, _)| key.to_string()).collect();
        assert_eq!(keys, WRITTEN.map(|(stored, ..)| stored)[..5]);

        let removals = WRITTEN.map(|(_, namespace, name)| (namespace.key(name), None));
        let stored = journal.inbox().store_side_values(removals.to_vec());
        stored.await.unwrap();
        assert_eq!(journal.read_namespaces(&Namespace::ALL).unwrap(), []);
        journal.inbox().close().await.unwrap();
    }

    /// Writes each key of [`WRITTEN`] into the table that every version has, with the key as value.
    fn write_as_older_versions_did(file: &std::path::Path) {
        let table = redb::TableDefinition::<&str, &[u8]>::new("kept");
        let database = redb::Database::open(file).unwrap();
        let write = database.begin_write().unwrap();
        for (stored, ..) in WRITTEN {
            let mut table = write.open_table(table).unwrap();
            table.insert(stored, stored.as_bytes()).unwrap();
        }
        write.commit().unwrap();
    }

    #[test]
    fn no_key_is_in_two_namespaces() {
        for (stored, own, _) in WRITTEN {
            for (_, other, _) in WRITTEN {
                assert_eq!(stored.starts_with(other.prefix()), own == other, "{stored}");
            }
        }
    }
}

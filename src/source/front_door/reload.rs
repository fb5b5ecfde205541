//! Applies a new configuration to the open front door.
//!
//! Comes in: `[mqtt.listen]`, the list of devices, certificates. Goes out: the door uses them, each
//! connected client stays connected unless its own access has changed, and a new address is
//! listened on beside the old one until the switch.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::watch;

use super::FrontDoorError;
use super::alarms::warn_of;
use super::certificates::Tls;
use super::refused::Why;
use super::shared::Shared;
use crate::config::Listen;
use crate::listener;
use crate::source::devices::{ReadList, Told};

/// The open front door, for a reload.
#[derive(Debug, Clone)]
pub struct DoorHandle {
    pub(super) shared: Arc<Shared>,
    pub(super) listeners: watch::Sender<Arc<TcpListener>>,
}

/// Everything that a reload of the door needs: from here on nothing can fail.
#[derive(Debug)]
pub struct DoorChange {
    config: Listen,
    tls: Option<Tls>,
    listener: Option<Arc<TcpListener>>,
}

impl DoorHandle {
    /// Reads the certificates and binds the address, if it is another one.
    pub async fn prepare(&self, new: &Listen) -> Result<DoorChange, FrontDoorError> {
        let old = self.shared.config();
        let listener = if new.address == old.address {
            None
        } else {
            let (present, address) = (self.listeners.borrow().clone(), new.address);
            let bound = listener::bind_beside(address, Some(&present)).await;
            let failed = |error| FrontDoorError::Bind { address, error };
            Some(Arc::new(bound.map_err(failed)?))
        };
        Ok(DoorChange {
            tls: Tls::read(new)?,
            config: new.clone(),
            listener,
        })
    }

    /// Applies the change. Returns the address of the new listener, if there is one.
    #[must_use]
    pub fn switch(&self, change: DoorChange, list: &ReadList) -> Option<SocketAddr> {
        let shared = &self.shared;
        shared.auth.set_anonymous(change.config.anonymous);
        shared.auth.list().replace(list);
        shared
            .auth
            .list()
            .tell(&mut Told::default(), &shared.intake);
        shared.places.set_max(change.config.connections_max);
        shared.room.fit(change.config.packet_bytes_max);
        shared.hub.set_missed_max(change.config.missed_max);
        shared.set_tls(change.tls);
        warn_of(&change.config, list.devices(), &shared.board);
        shared.set_config(change.config);
        shared.end_revoked();
        shared.configured.notify_one();
        let listener = change.listener?;
        let address = listener.local_addr().ok();
        self.listeners.send_replace(listener);
        address
    }

    /// Clears the alarms of a door that the configuration no longer has.
    pub fn clear_alarms(&self) {
        let board = &self.shared.board;
        let refused = Why::ALL.map(Why::code);
        for code in ["anonymous", "no-credentials", "device-config"] {
            board.alarm(code, None);
        }
        for code in refused {
            board.alarm(code, None);
        }
    }
}

//! The gateway's own MQTT front door: MQTT 3.1.1 and 5, for devices on the floor. `docs/mqtt.md` is
//! its reference.
//!
//! The front door is not a broker: devices publish to the gateway and subscribe to their own
//! topics, nothing more.
//!
//! **In**: connections (`handshake`) and their packets (`wire`). Publishes go to the intake in
//! batches (`batch`). Messages of the gateway come through [`FrontDoor::outbound`].
//!
//! **Out**: acknowledgements after the commit, receipts, displays and retained messages
//! (`session`, `hub`). Data that must survive a restart goes to the journal as side values
//! (`stored`).
//!
//! Each connection (`connection`) is one task that owns its socket. No connection holds a shared
//! lock for long.
//!
//! **Invariant 1:** PUBACK and PUBREC of a scan or an event leave only after the journal has
//! answered.

mod accept;
mod access;
mod alarms;
mod answer;
mod auth;
mod batch;
mod certificates;
mod connect;
mod connection;
mod desired;
mod device_configs;
mod doorstep;
mod handshake;
mod hub;
mod io;
mod limits;
mod message;
mod meter;
mod packets;
mod password_queue;
mod receptions;
mod refused;
mod reload;
mod retained;
mod room;
mod session;
mod shared;
mod stored;
mod topics;
mod wire;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::channel::Outbound;
use crate::clock;
use crate::config::Listen;
use crate::event::{Name, SourceKind};
use crate::journal::{Inbox, SideChange, SideValue};
use crate::listener;
use crate::source::Intake;
use crate::source::devices::{DeviceList, DevicesError, Told};
use crate::tls::ServerTlsError;
use access::Origin;
pub use alarms::nobody;
use alarms::{warn_of, warn_of_nobody};
use auth::Auth;
use certificates::Tls;
use connection::{Connection, End};
pub use device_configs::check as check_device_configs;
use doorstep::Standing;
use handshake::Rejected;
use hub::Hub;
use refused::Why;
pub use reload::{DoorChange, DoorHandle};
use shared::Shared;
use wire::Fault;

/// Messages from the gateway that wait to be handed to sessions; more wait in their senders.
const OUTBOUND_MAX: usize = 1_024;
/// The largest packet that [`count_packets`] takes.
const FUZZED_BYTES_MAX: usize = 4_096;
/// How often sessions are looked at for their end, and wills for their time.
const TIDY_EVERY: Duration = Duration::from_secs(1);

/// Why the front door cannot open.
#[derive(Debug, Error)]
pub enum FrontDoorError {
    #[error(
        "cannot listen on {address}: {error}; is another MQTT broker running there? Stop it or change mqtt.listen.address"
    )]
    Bind {
        address: SocketAddr,
        error: std::io::Error,
    },
    #[error("mqtt.listen.devices: {0}")]
    Devices(#[from] DevicesError),
    #[error(transparent)]
    Tls(#[from] ServerTlsError),
}

/// Reads a client's bytes in pieces of `piece` bytes, as a connection does. Returns the number of
/// packets before the first fault, and whether there is a fault. For the fuzzer.
#[must_use]
pub fn count_packets(bytes: &[u8], is_v5: bool, piece: usize) -> (usize, bool) {
    let version = if is_v5 {
        wire::Version::V5
    } else {
        wire::Version::V4
    };
    let (mut buffer, mut count) = (bytes::BytesMut::new(), 0);
    for piece in bytes.chunks(piece.max(1)) {
        buffer.extend_from_slice(piece);
        if count == 0 && buffer[0] >> 4 == 1 {
            match connect::read(&mut buffer, FUZZED_BYTES_MAX) {
                Ok(Some(connect::First::Connect(_))) => count = 1,
                Ok(None) => continue,
                Ok(Some(_)) | Err(_) => return (0, true),
            }
        }
        loop {
            match wire::next(&mut buffer, version, FUZZED_BYTES_MAX) {
                Ok(Some(_)) => count += 1,
                Ok(None) => break,
                Err(_) => return (count, true),
            }
        }
    }
    (count, false)
}

/// The door, bound and not open yet.
pub struct FrontDoor {
    listeners: watch::Sender<Arc<TcpListener>>,
    address: SocketAddr,
    shared: Arc<Shared>,
    outbound: (mpsc::Sender<Outbound>, mpsc::Receiver<Outbound>),
    /// The last `state` of each device.
    states: Vec<(Name, Vec<u8>)>,
    /// Stored values whose owner no longer exists.
    leftovers: Vec<SideChange>,
}

impl FrontDoor {
    /// Binds the address and reads all files, so that what is wrong is known before the gateway
    /// starts.
    pub fn bind(
        config: &Listen,
        site: Name,
        intake: Intake,
        inbox: Inbox,
        values: Vec<SideValue>,
        board: Board,
    ) -> Result<Self, FrontDoorError> {
        let list = DeviceList::open(
            config.devices.clone(),
            intake.last_lists().clone(),
            board.clone(),
        )?;
        let door = Self::with_list(config, list, site, intake, (inbox, values), board)?;
        door.announce();
        Ok(door)
    }

    /// As [`Self::bind`], with a list of devices that was read already. Nothing else learns of the
    /// door until [`Self::announce`].
    pub fn with_list(
        config: &Listen,
        list: DeviceList,
        site: Name,
        intake: Intake,
        (inbox, values): (Inbox, Vec<SideValue>),
        board: Board,
    ) -> Result<Self, FrontDoorError> {
        let address = config.address;
        let failed = |error| FrontDoorError::Bind { address, error };
        let tls = Tls::read(config)?;
        let listener = listener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let states = stored::states(&site, &values);
        let states = states.map(|(device, payload)| (device, payload.to_vec()));
        let states = states.collect();
        let (hub, leftovers) = Hub::new(site.clone(), config.missed_max, values);
        let auth = Auth::new(list, config.anonymous);
        let config = (config.clone(), tls);
        Ok(Self {
            listeners: watch::Sender::new(Arc::new(listener)),
            address,
            shared: Arc::new(Shared::new(site, config, intake, inbox, board, auth, hub)),
            outbound: mpsc::channel(OUTBOUND_MAX),
            states,
            leftovers,
        })
    }

    /// Raises the alarms about missing passwords, and passes the devices' languages and profiles
    /// on: before anybody reads on in the journal, because scans that wait there are read by these
    /// profiles, too.
    pub fn announce(&self) {
        let shared = &self.shared;
        warn_of(
            &shared.config(),
            &shared.auth.list().current(),
            &shared.board,
        );
        if let Some(capture) = shared.intake.capture() {
            for (device, payload) in &self.states {
                capture.read_language(device, payload);
            }
        }
        shared
            .auth
            .list()
            .tell(&mut Told::default(), &shared.intake);
    }

    /// The door, for a reload.
    #[must_use]
    pub fn handle(&self) -> DoorHandle {
        DoorHandle {
            shared: Arc::clone(&self.shared),
            listeners: self.listeners.clone(),
        }
    }

    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The way from the gateway to its devices.
    #[must_use]
    pub fn outbound(&self) -> mpsc::Sender<Outbound> {
        self.outbound.0.clone()
    }

    /// Serves clients until `cancel`, then disconnects each (MQTT 5: 0x8B), stores their
    /// undelivered messages, and returns within some seconds. The journal must run until then.
    pub async fn run(self, cancel: CancellationToken) {
        let Self {
            listeners,
            shared,
            outbound: (_, outbound),
            leftovers,
            ..
        } = self;
        shared.store_side_values(leftovers).await;
        shared.restore_drift();
        shared.publish_configurations().await;
        shared.board.source(SourceKind::Listen, |view| {
            "up".clone_into(&mut view.state);
            view.detail = None;
        });
        let done = CancellationToken::new();
        // Before the first reading: what it means is the profile's to say.
        let mut known = Told::default();
        shared.auth.list().tell(&mut known, &shared.intake);
        let delivery = deliver(Arc::clone(&shared), outbound, known, done.clone());
        let delivery = tokio::spawn(delivery);
        let watcher = Arc::clone(&shared);
        let watching = tokio::spawn(async move { watcher.watch_configurations().await });
        accept::run(listeners.subscribe(), &shared, &cancel).await;
        watching.abort();
        // No client is connected: the last messages go to disk for sessions that continue.
        done.cancel();
        drop(delivery.await);
        shared.board.source(SourceKind::Listen, |view| {
            "down".clone_into(&mut view.state);
            view.detail = Some("the gateway is shutting down".to_owned());
        });
    }
}

/// An IPv4 address is the same whether it came in over IPv4 or mapped.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    origin: &Origin,
    shared: Arc<Shared>,
    standing: Standing,
) {
    let mut io = io::Io::new(stream);
    let stop = shared.stop.clone();
    let admitted = tokio::select! {
        () = stop.cancelled() => return,
        () = standing.evicted.cancelled() => return,
        admitted = handshake::admit(&mut io, &shared, origin, &standing, &stop) => admitted,
    };
    match admitted {
        Ok(client) => {
            drop(standing);
            let device = client.device.name.clone();
            let client_id = client.session.client_id.clone();
            tracing::debug!(%device, client_id, address = %origin.address, "connected");
            shared.arrived(&device);
            let end = Connection::new(Arc::clone(&shared), io, client, origin.address)
                .run()
                .await;
            match &end {
                End::Fault(fault) => {
                    if matches!(fault, Fault::TooLarge { .. }) {
                        let (name, why) = (device.as_str(), fault.to_string());
                        shared.count_refused(Why::TooLarge, name, &why);
                    }
                    shared.say(origin, &format!("device {device}: {fault}"));
                }
                end => tracing::debug!(%device, client_id, %end, "disconnected"),
            }
        }
        Err(rejected) => {
            // The connection counts to the doorstep until its refusal is sent, so that such
            // connections have a limit, too.
            tokio::select! {
                () = standing.evicted.cancelled() => {}
                _ = tokio::time::timeout(Duration::from_secs(2), io.finish()) => {}
            }
            match &rejected {
                // A crowd is no fault of the device.
                Rejected::Refused { is_busy: true, .. } => {}
                Rejected::Refused { reason, name, .. } => {
                    shared.count_refused(Why::LogIn, name, reason);
                }
                Rejected::Fault(fault @ Fault::TooLarge { .. }) => {
                    let (address, why) = (origin.address.to_string(), fault.to_string());
                    shared.count_refused(Why::TooLarge, &address, &why);
                }
                _ => {}
            }
            if !matches!(rejected, Rejected::Closed) {
                shared.say(origin, &rejected.to_string());
            }
        }
    }
}

/// Hands the gateway's messages to sessions, many at a time, so that those for absent devices share
/// a commit.
async fn deliver(
    shared: Arc<Shared>,
    mut outbound: mpsc::Receiver<Outbound>,
    mut known: Told,
    done: CancellationToken,
) {
    let mut messages = Vec::new();
    let mut devices = shared.auth.list().current();
    let mut configs = shared.intake.floor_devices().configs();
    configs.mark_changed();
    let mut tidy = tokio::time::interval(TIDY_EVERY);
    loop {
        let mut changes = Vec::new();
        tokio::select! {
            biased;
            count = outbound.recv_many(&mut messages, 256) => {
                if count == 0 {
                    return;
                }
                let now = clock::instant();
                for message in messages.drain(..) {
                    shared.send(message, now, &mut changes);
                }
            }
            Ok(()) = configs.changed() => {
                let configs = configs.borrow_and_update().clone();
                if let Some(configs) = configs {
                    shared.replace_desired(&configs).await;
                }
            }
            // Last, and `biased`: the queue was empty.
            () = done.cancelled() => {
                for (session, will) in shared.hub.take_wills() {
                    changes.extend(shared.will(&session.device, &will, Some(&session)));
                }
                return shared.store_side_values(changes).await;
            }
            _ = tidy.tick() => {
                shared.auth.list().tell(&mut known, &shared.intake);
                shared.show_refused();
                shared.quiet.report(clock::instant());
                shared.show_drift();
                let before = std::mem::replace(&mut devices, shared.auth.list().current());
                if !Arc::ptr_eq(&before, &devices) {
                    shared.end_revoked();
                }
                warn_of_nobody(&shared.config(), &devices, &shared.board);
                let wills = shared.hub.tidy(clock::now(), clock::instant(), &mut changes);
                for (session, will) in wills {
                    changes.extend(shared.will(&session.device, &will, Some(&session)));
                }
            }
        }
        shared.store_side_values(changes).await;
    }
}

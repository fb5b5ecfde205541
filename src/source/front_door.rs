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
//! **Invariant 1:** PUBACK and PUBREC leave only after the journal has answered.

mod answer;
mod auth;
mod batch;
mod connect;
mod connection;
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
mod retained;
mod room;
mod session;
mod shared;
mod stored;
mod topics;
mod wire;

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use crate::board::Board;
use crate::channel::Outbound;
use crate::clock;
use crate::config::Listen;
use crate::event::{Name, SourceKind};
use crate::journal::{Inbox, SideChange, SideValue};
use crate::source::Intake;
use crate::source::devices::{Device, DeviceList, DevicesError, Told};
use crate::tls::{self, ServerTlsError};
use auth::Auth;
use connection::{Connection, End};
pub use device_configs::check as check_device_configs;
use doorstep::{Doorstep, Standing};
use handshake::{Origin, Rejected};
use hub::Hub;
use refused::Why;
use shared::Shared;
use wire::Fault;

/// Messages from the gateway that wait to be handed to sessions; more wait in their senders.
const OUTBOUND_MAX: usize = 1_024;
/// Connections that the kernel holds until they are taken. With fewer, a client that connects while
/// many others do waits a second for its next attempt.
const BACKLOG_MAX: u32 = 4_096;
/// How long the end of all connections may take when the gateway stops.
const STOP_MAX: Duration = Duration::from_secs(5);
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
    listener: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    outbound: (mpsc::Sender<Outbound>, mpsc::Receiver<Outbound>),
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
        let auth = Auth::new(list, config.anonymous);
        let tls = match (&config.tls_cert, &config.tls_key) {
            (Some(cert), Some(key)) => {
                let needed = config.devices.is_none() && !config.anonymous;
                let config = tls::server_config(cert, key, config.client_ca.as_deref(), needed)?;
                Some(TlsAcceptor::from(Arc::new(config)))
            }
            _ => None,
        };
        let (listener, address) = listen(config.address)?;
        warn_of(config, &auth.list().current(), &board);
        if let Some(capture) = intake.capture() {
            for (device, payload) in stored::states(&site, &values) {
                capture.read_language(&device, payload);
            }
        }
        // Before anybody reads on in the journal: scans that wait there are read by these profiles,
        // too.
        auth.list().tell(&mut Told::default(), &intake);
        let (hub, leftovers) = Hub::new(site.clone(), config.missed_max, values);
        Ok(Self {
            listener,
            address,
            tls,
            shared: Arc::new(Shared::new(
                site,
                config.clone(),
                intake,
                inbox,
                board,
                auth,
                hub,
            )),
            outbound: mpsc::channel(OUTBOUND_MAX),
            leftovers,
        })
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
            listener,
            tls,
            shared,
            outbound: (_, outbound),
            leftovers,
            ..
        } = self;
        shared.store_side_values(leftovers).await;
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
        accept(&listener, tls, &shared, &cancel).await;
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

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), FrontDoorError> {
    let failed = |error| FrontDoorError::Bind { address, error };
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(failed)?;
    // Sets the option that the standard library sets: after a restart the port is free at once.
    socket.set_reuseaddr(true).map_err(failed)?;
    socket.bind(address).map_err(failed)?;
    let listener = socket.listen(BACKLOG_MAX).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, address))
}

/// Raises the alarms about missing passwords.
fn warn_of(config: &Listen, devices: &BTreeMap<Name, Device>, board: &Board) {
    let anonymous = config.anonymous.then(|| {
        format!(
            "anyone who reaches {} can publish as any device without a password: set mqtt.listen.anonymous = false and list the devices",
            config.address
        )
    });
    if let Some(sentence) = &anonymous {
        tracing::warn!("{sentence}");
    }
    board.alarm("anonymous", anonymous);
    if let Some(sentence) = warn_of_nobody(config, devices, board) {
        tracing::warn!("{sentence}");
    }
}

/// Raises an alarm while no device can come in.
fn warn_of_nobody(
    config: &Listen,
    devices: &BTreeMap<Name, Device>,
    board: &Board,
) -> Option<String> {
    let nobody = nobody(config, devices);
    board.alarm("no-credentials", nobody.clone());
    nobody
}

/// Explains why no device can log in, and what to do. `None`: a device can log in.
#[must_use]
pub fn nobody(config: &Listen, devices: &BTreeMap<Name, Device>) -> Option<String> {
    let may_log_in = |device: &Device| device.enabled && device.hash.is_some();
    if config.anonymous || config.client_ca.is_some() || devices.values().any(may_log_in) {
        return None;
    }
    Some(match &config.devices {
        None => {
            "no device can connect: set mqtt.listen.devices or mqtt.listen.client_ca".to_owned()
        }
        Some(file) => format!(
            "no device can log in: {} has none that is enabled and has a password. Add one with `stockrelay devices hash NAME`",
            file.display()
        ),
    })
}

/// Accepts connections until `cancel`, then waits until the existing ones end.
async fn accept(
    listener: &TcpListener,
    tls: Option<TlsAcceptor>,
    shared: &Arc<Shared>,
    cancel: &CancellationToken,
) {
    let doorstep = Arc::new(Doorstep::default());
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break,
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
            accepted = listener.accept() => match accepted {
                Ok((stream, address)) => {
                    let from = canonical(address.ip());
                    let Some(standing) = doorstep.arrive(from, clock::instant()) else {
                        continue;
                    };
                    let (shared, tls) = (Arc::clone(shared), tls.clone());
                    connections.spawn(serve(stream, address, tls, shared, standing));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: there will be some when connections
                    // end.
                    if shared.quiet.allows(clock::instant()) {
                        tracing::error!(%error, "cannot accept a connection");
                    }
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            },
        }
    }
    shared.stop.cancel();
    let ends = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(STOP_MAX, ends).await.is_err() {
        tracing::warn!(
            left = connections.len(),
            "cut connections that did not end in time"
        );
        connections.shutdown().await;
    }
}

async fn serve(
    stream: TcpStream,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    shared: Arc<Shared>,
    standing: Standing,
) {
    // Acknowledgements are small and waited for: Nagle's algorithm would hold them back.
    drop(stream.set_nodelay(true));
    let mut origin = Origin {
        address: canonical(address.ip()),
        certified: None,
    };
    let Some(tls) = tls else {
        return talk(stream, &origin, shared, standing).await;
    };
    let handshake = tokio::time::timeout(handshake::CONNECT_MAX, tls.accept(stream));
    let stream = tokio::select! {
        () = shared.stop.cancelled() => return,
        () = standing.evicted.cancelled() => return,
        stream = handshake => stream,
    };
    match stream {
        Ok(Ok(stream)) => {
            let certificates = stream.get_ref().1.peer_certificates();
            if let Some(certificate) = certificates.and_then(<[_]>::first) {
                // A certificate without a usable name is nobody's, rather than no certificate.
                origin.certified = Some(tls::device_name(certificate).unwrap_or_default());
            }
            talk(stream, &origin, shared, standing).await;
        }
        Ok(Err(error)) => shared.say(&origin, &format!("TLS: {error}")),
        Err(_) => shared.say(&origin, "no TLS handshake in time"),
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
                    shared.hub.send(message, now, &mut changes);
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
                warn_of_nobody(&shared.config, &shared.auth.list().current(), &shared.board);
                let wills = shared.hub.tidy(clock::now(), clock::instant(), &mut changes);
                for (session, will) in wills {
                    changes.extend(shared.will(&session.device, &will, Some(&session)));
                }
            }
        }
        shared.store_side_values(changes).await;
    }
}

//! Turns a new socket into a client: reads CONNECT, identifies the client, opens its session, sends
//! CONNACK.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::answer::{Refusal, Terms, Writer};
use super::connect::Will;
use super::connect::{self, Connect, First};
use super::doorstep::{ClientPlace, Standing};
use super::hub::{Closed, FrontDoorDevice, Opened, Wish};
use super::io::Io;
use super::session::{EXPIRY_MAX_S, Owner, Session};
use super::topics::{Target, Topics, is_bridge_notification};
use super::wire::{Fault, Qos, Version};
use crate::event::Name;

/// How long a client may take from the TCP connection to the end of its CONNECT.
pub const CONNECT_MAX: Duration = Duration::from_secs(10);
/// How long the old connection of a session may take to end.
const TAKE_OVER_MAX: Duration = Duration::from_secs(5);
/// Keep-alive in seconds, at most. It also applies to clients without one, so that dead connections
/// are found.
pub const KEEP_ALIVE_MAX_S: u16 = 3_600;
/// The longest client id that is taken, in bytes.
pub const CLIENT_ID_BYTES_MAX: usize = 256;
/// The largest CONNECT, in bytes: a last will of 16 KiB, names and a password. Nobody has proved
/// anything by then.
const CONNECT_BYTES_MAX: usize = 32 << 10;
/// The largest `state` and `config/reported`, also as a last will, in bytes.
pub const STATE_BYTES_MAX: usize = 16 << 10;

/// An accepted client.
#[derive(Debug)]
pub struct Client {
    pub writer: Writer,
    pub device: Arc<FrontDoorDevice>,
    pub session: Arc<Session>,
    pub epoch: u64,
    pub owner: Owner,
    /// One and a half keep-alives. The gateway closes a connection that is silent for longer.
    pub silence_max: Duration,
    pub receive_maximum: u16,
    pub session_expiry_s: u32,
    pub will: Option<Will>,
    /// Among `mqtt.listen.connections_max`.
    #[expect(dead_code, reason = "it is free when the client is gone")]
    pub place: ClientPlace,
}

/// Why a client was refused. The answer to the client is already in the output.
#[derive(Debug, thiserror::Error)]
pub enum Rejected {
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("no CONNECT within {} s", CONNECT_MAX.as_secs())]
    TooSlow,
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error("MQTT version not supported: use 3.1.1 or 5")]
    Version,
    #[error("{reason} ({who})")]
    Refused {
        reason: String,
        /// The name that the client sent.
        who: String,
        /// The one of these names that is the device's.
        name: String,
        /// Whether the gateway is full, so that the device is not at fault.
        is_busy: bool,
    },
    #[error("closed without a CONNECT")]
    Closed,
}

/// The origin of a connection.
#[derive(Debug)]
pub struct Origin {
    pub address: IpAddr,
    /// The name in the client's certificate, which TLS has verified.
    pub certified: Option<String>,
}

/// Lets a client in, or tells it why not.
pub async fn admit<S>(
    io: &mut Io<S>,
    shared: &Shared,
    origin: &Origin,
    standing: &Standing,
    stop: &CancellationToken,
) -> Result<Client, Rejected>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let connect_bytes_max = shared.config.packet_bytes_max.min(CONNECT_BYTES_MAX);
    let first = tokio::time::timeout(CONNECT_MAX, first(io, connect_bytes_max));
    let connect = match first.await.map_err(|_| Rejected::TooSlow)?? {
        First::Connect(connect) => *connect,
        First::OtherVersion => {
            Writer::refuse_version(&mut io.output);
            return Err(Rejected::Version);
        }
        First::Faulty(fault) => {
            Writer::refuse_faulty(&mut io.output, &fault);
            return Err(fault.into());
        }
    };
    let version = connect.version;
    let packet_bytes_max = connect.packet_bytes_max;
    let user = connect.login.as_ref().map(|login| login.username.as_str());
    let name = device_name(origin, user, &connect.client_id);
    let who = who(origin.certified.as_deref(), user, &connect.client_id);
    enter(io, shared, origin, standing, connect, stop)
        .await
        .map_err(|refusal| {
            Writer::refuse(version, &mut io.output, refusal);
            if io.output.len() > packet_bytes_max {
                io.output.clear();
            }
            Rejected::Refused {
                reason: describe(refusal).to_owned(),
                who,
                name,
                is_busy: matches!(refusal, Refusal::Busy),
            }
        })
}

/// The name of a client in an alarm: the name that it sent, or else its address.
fn device_name(origin: &Origin, user: Option<&str>, client_id: &str) -> String {
    let names = [origin.certified.as_deref(), user, Some(client_id)];
    let mut names = names.into_iter().flatten().filter(|name| !name.is_empty());
    names.next().map_or_else(
        || origin.address.to_string(),
        |name| name.chars().take(64).collect(),
    )
}

/// The names that a client gives itself, for the log: the certificate's, the user name, and the
/// client id. The list leaves out an empty client id.
fn who(certified: Option<&str>, user: Option<&str>, client_id: &str) -> String {
    let names = [
        ("certificate", certified),
        ("user name", user),
        ("client id", Some(client_id)),
    ];
    let given: Vec<String> = names
        .into_iter()
        .filter_map(|(what, name)| Some((what, name.filter(|name| !name.is_empty())?)))
        .map(|(what, name)| {
            let name: String = name.chars().take(64).collect();
            format!("{what} {name:?}")
        })
        .collect();
    if given.is_empty() {
        return "neither a user name nor a client id".to_owned();
    }
    given.join(", ")
}

async fn first<S>(io: &mut Io<S>, packet_bytes_max: usize) -> Result<First, Rejected>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    loop {
        match connect::read(&mut io.input, packet_bytes_max) {
            Ok(Some(first)) => return Ok(first),
            Ok(None) => {}
            Err(fault) => return Err(fault.into()),
        }
        if io.exchange(CONNECT_BYTES_MAX).await?.read == Some(0) {
            return Err(Rejected::Closed);
        }
    }
}

async fn enter<S>(
    io: &mut Io<S>,
    shared: &Shared,
    origin: &Origin,
    standing: &Standing,
    connect: Connect,
    stop: &CancellationToken,
) -> Result<Client, Refusal> {
    let place = (shared.places.take(origin.address)).ok_or(Refusal::Busy)?;
    // From here on no other task may end this connection: it may own a session soon.
    if !standing.leave() {
        return Err(Refusal::Busy);
    }
    if connect.auth_method {
        return Err(Refusal::AuthMethod);
    }
    if connect.client_id.len() > CLIENT_ID_BYTES_MAX
        || (connect.client_id.is_empty() && connect.version == Version::V4 && !connect.clean)
    {
        return Err(Refusal::ClientId);
    }
    let name = shared
        .auth
        .who(&connect, origin.certified.as_deref(), origin.address)
        .await?;
    check_will(shared, &name, &connect)?;
    shared.publish_configuration(&name).await;
    let assigned = connect
        .client_id
        .is_empty()
        .then(|| shared.next_client_id());
    let writer = Writer {
        version: connect.version,
        problem_info: connect.problem_info,
        packet_bytes_max: connect.packet_bytes_max,
    };
    let mut terms = terms(shared, &connect, assigned.clone());
    // Before there is a session: its size does not depend on that.
    let mut connack = BytesMut::new();
    if writer.accept(&mut connack, &terms).is_err() {
        return Err(Refusal::AnswerTooLarge);
    }
    let opened = open(shared, &name, &connect, assigned.as_deref(), stop).await?;
    let (
        Opened {
            device,
            session,
            attached,
            wills,
        },
        owner,
    ) = opened;
    for will in wills {
        shared
            .store_side_values(shared.will(&name, &will, None))
            .await;
    }
    terms.session_present = attached.present;
    drop(writer.accept(&mut io.output, &terms));
    Ok(Client {
        writer,
        device,
        session,
        epoch: attached.epoch,
        owner,
        silence_max: Duration::from_millis(u64::from(keep_alive_s(&connect)) * 1_500),
        receive_maximum: connect.receive_maximum,
        session_expiry_s: expiry_s(&connect),
        will: connect
            .will
            .filter(|will| !is_bridge_notification(will.topic.as_bytes())),
        place,
    })
}

/// The properties of the CONNACK, except whether a session exists.
fn terms(shared: &Shared, connect: &Connect, assigned_client_id: Option<String>) -> Terms {
    let (expiry_s, keep_alive_s) = (expiry_s(connect), keep_alive_s(connect));
    Terms {
        session_present: false,
        session_expiry_s: connect
            .session_expiry_s
            .filter(|wanted| *wanted != expiry_s)
            .map(|_| expiry_s),
        receive_maximum: shared.config.in_flight_max,
        packet_bytes_max: u32::try_from(shared.config.packet_bytes_max).unwrap_or(u32::MAX),
        assigned_client_id,
        keep_alive_s: (keep_alive_s != connect.keep_alive_s).then_some(keep_alive_s),
    }
}

fn keep_alive_s(connect: &Connect) -> u16 {
    match connect.keep_alive_s {
        0 => KEEP_ALIVE_MAX_S,
        wanted => wanted.min(KEEP_ALIVE_MAX_S),
    }
}

/// The expiry of the session. MQTT 3.1.1 has no session expiry: a session that is not clean gets
/// the longest expiry, `EXPIRY_MAX_S`.
fn expiry_s(connect: &Connect) -> u32 {
    match connect.session_expiry_s {
        Some(wanted) => wanted.min(EXPIRY_MAX_S),
        None if connect.clean => 0,
        None => EXPIRY_MAX_S,
    }
}

/// Takes the session. First ends the connection that has it and publishes its will, so that the
/// messages of the new connection come later (MQTT 3.1.1, 3.1.4; MQTT 5, 3.1.4).
async fn open(
    shared: &Shared,
    name: &Name,
    connect: &Connect,
    assigned: Option<&str>,
    stop: &CancellationToken,
) -> Result<(Opened, Owner), Refusal> {
    let client_id = assigned.unwrap_or(&connect.client_id);
    let mut by_force = false;
    loop {
        let owner = Owner {
            kick: stop.child_token(),
            ended: CancellationToken::new(),
        };
        let mut changes = Vec::new();
        let wish = Wish {
            device: name,
            client_id,
            owner: owner.clone(),
            clean: connect.clean,
            expiry_s: expiry_s(connect),
            by_force,
        };
        let opened = shared.hub.open(wish, &mut changes);
        shared.store_side_values(changes).await;
        match opened {
            Ok(opened) => return Ok((opened, owner)),
            Err(Closed::TooMany) => return Err(Refusal::Busy),
            Err(Closed::Taken(other)) => {
                other.kick.cancel();
                let ended = tokio::time::timeout(TAKE_OVER_MAX, other.ended.cancelled());
                by_force = ended.await.is_err();
            }
        }
    }
}

/// A last will is the device's `state`; anything else would be a publish it may not make. That of a
/// bridge's notifications is allowed and is not published.
fn check_will(shared: &Shared, name: &Name, connect: &Connect) -> Result<(), Refusal> {
    let Some(will) = &connect.will else {
        return Ok(());
    };
    if connect.version == Version::V5 && will.qos == Qos::ExactlyOnce {
        return Err(Refusal::WillQos);
    }
    if is_bridge_notification(will.topic.as_bytes()) {
        return Ok(());
    }
    let topics = Topics::new(&shared.site, name);
    if topics.target(will.topic.as_bytes()) != Some(Target::State) {
        return Err(Refusal::WillTopic);
    }
    if will.payload.len() + will.properties.len() > STATE_BYTES_MAX {
        return Err(Refusal::TooLarge);
    }
    Ok(())
}

fn describe(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::ClientId => {
            "client id refused: empty with clean session off, longer than 256 bytes, or no device name where it has to be one"
        }
        Refusal::BadCredentials => {
            "unknown or disabled device, or wrong password: see devices.toml"
        }
        Refusal::NotAuthorized => {
            "not authorized: credentials are missing, or the device is disabled or another one"
        }
        Refusal::AuthMethod => {
            "enhanced authentication is not supported: use password or certificate"
        }
        Refusal::Busy => {
            "busy: too many connections, clients of one device, or devices (mqtt.listen.connections_max)"
        }
        Refusal::TooOften => "too many failed log-ins from this address: refused for a minute",
        Refusal::WillTopic => "the last will is not on the device's own state topic",
        Refusal::WillQos => "the last will has QoS 2: at most QoS 1 is supported with MQTT 5",
        Refusal::TooLarge => "the last will is larger than 16 KiB",
        Refusal::AnswerTooLarge => "the client's Maximum Packet Size is too small for the CONNACK",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_login_is_logged_with_the_names_that_the_client_gave() {
        assert_eq!(who(None, Some("pda-07"), ""), "user name \"pda-07\"");
        assert_eq!(
            who(None, Some("pda-07"), "x"),
            "user name \"pda-07\", client id \"x\""
        );
        assert_eq!(who(None, Some(""), "pda-07"), "client id \"pda-07\"");
        assert_eq!(who(Some("pda-07"), None, ""), "certificate \"pda-07\"");
        assert_eq!(who(None, None, ""), "neither a user name nor a client id");
    }
}

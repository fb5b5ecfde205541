//! The sources of readings: starts them, and replaces the front door and the link to an MQTT broker
//! at a reload.
//!
//! Comes in: the configuration, and later [`Switch`]es. Goes out: of each kind, one source runs at
//! any time, or none. A task here ends only when the gateway stops, or when its source has failed.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{StartError, run};
use crate::board::Board;
use crate::channel::Outlets;
use crate::config::Config;
use crate::event::SourceKind;
use crate::journal::{Journal, Namespace};
use crate::source::Intake;
use crate::source::broker::{self, Broker};
use crate::source::devices::DeviceList;
use crate::source::front_door::{DoorHandle, FrontDoor};
use crate::source::scanners::{Scanners, ScannersHandle};

/// The arguments for starting the sources of readings.
pub struct Starting<'a> {
    pub config: &'a Config,
    pub journal: &'a Journal,
    pub intake: &'a Intake,
    pub board: &'a Board,
    pub cancel: &'a CancellationToken,
}

/// The running sources, and the ways to them.
#[derive(Debug)]
pub struct RunningSources {
    pub outlets: Outlets,
    /// Where the front door listens. `None`: the configuration has none.
    pub mqtt_address: Option<SocketAddr>,
    pub scanners: ScannersHandle,
    pub door: Option<DoorHandle>,
    pub doors: mpsc::Sender<Switch<FrontDoor>>,
    pub broker: Option<BrokerHandle>,
    pub brokers: mpsc::Sender<Switch<Broker>>,
}

/// The running link to an MQTT broker.
#[derive(Debug)]
pub struct BrokerHandle {
    pub list: Arc<DeviceList>,
    /// The hash of its password and certificates.
    pub credentials: blake3::Hash,
}

impl Starting<'_> {
    /// Binds and starts each that the configuration names.
    pub fn start(&self, parts: &mut JoinSet<&'static str>) -> Result<RunningSources, StartError> {
        let outlets = Outlets::default();
        let scanners = self.start_scanners(&outlets, parts)?;
        let (doors, switches) = mpsc::channel(1);
        let door = self.bind_door(&outlets)?;
        let (handle, mqtt_address) = match &door {
            Some(door) => (Some(door.handle()), Some(door.local_addr())),
            None => (None, None),
        };
        let running = run_doors(door, switches, self.board.clone(), self.cancel.clone());
        run(parts, "mqtt.listen", running);
        let (brokers, switches) = mpsc::channel(1);
        let (broker, broker_handle) = self.make_broker(&outlets)?.unzip();
        let running = run_brokers(broker, switches, self.board.clone(), self.cancel.clone());
        run(parts, "mqtt.broker", running);
        Ok(RunningSources {
            outlets,
            mqtt_address,
            scanners,
            door: handle,
            doors,
            broker: broker_handle,
            brokers,
        })
    }

    fn start_scanners(
        &self,
        outlets: &Outlets,
        parts: &mut JoinSet<&'static str>,
    ) -> Result<ScannersHandle, StartError> {
        let (intake, board) = (self.intake.clone(), self.board.clone());
        let scanners = match &self.config.scanners {
            Some(file) => Scanners::new(file, intake, board)?,
            None => Scanners::of(Vec::new(), intake, board),
        };
        outlets.scanners.set(Some(scanners.outbound()));
        let handle = scanners.handle();
        run(parts, "scanners", scanners.run(self.cancel.clone()));
        Ok(handle)
    }

    fn bind_door(&self, outlets: &Outlets) -> Result<Option<FrontDoor>, StartError> {
        let Some(listen) = &self.config.listen else {
            return Ok(None);
        };
        let values = self.journal.read_namespaces(&Namespace::FRONT_DOOR)?;
        let (inbox, board) = (self.journal.inbox().clone(), self.board.clone());
        let (site, intake) = (self.config.site.clone(), self.intake.clone());
        let door = FrontDoor::bind(listen, site, intake, inbox, values, board)?;
        outlets.listen.set(Some(door.outbound()));
        Ok(Some(door))
    }

    fn make_broker(&self, outlets: &Outlets) -> Result<Option<(Broker, BrokerHandle)>, StartError> {
        let Some(wanted) = &self.config.broker else {
            return Ok(None);
        };
        let (site, intake) = (self.config.site.clone(), self.intake.clone());
        let broker = Broker::new(wanted, site, intake, self.board.clone())?;
        outlets.broker.set(Some(broker.outbound()));
        let handle = BrokerHandle {
            list: broker.list(),
            credentials: broker::hash_credentials(wanted),
        };
        Ok(Some((broker, handle)))
    }
}

/// The source that replaces the present one.
pub struct Switch<T> {
    /// `None`: the configuration has no such source.
    pub next: Option<T>,
    /// Answered when the present source has ended.
    pub ended: oneshot::Sender<()>,
}

async fn run_doors(
    mut door: Option<FrontDoor>,
    mut switches: mpsc::Receiver<Switch<FrontDoor>>,
    board: Board,
    cancel: CancellationToken,
) {
    loop {
        let own = cancel.child_token();
        let present = door.take();
        let running = async {
            match present {
                Some(door) => door.run(own.clone()).await,
                None => own.cancelled().await,
            }
        };
        tokio::pin!(running);
        let switch = tokio::select! {
            () = &mut running => return,
            Some(switch) = switches.recv() => switch,
        };
        own.cancel();
        running.await;
        if switch.next.is_none() {
            board.remove_source(SourceKind::Listen);
        }
        door = switch.next;
        // An error: the reload does not wait for it.
        let _ = switch.ended.send(());
    }
}

/// The messages that one link could not deliver go out over the next one.
async fn run_brokers(
    mut broker: Option<Broker>,
    mut switches: mpsc::Receiver<Switch<Broker>>,
    board: Board,
    cancel: CancellationToken,
) {
    loop {
        let own = cancel.child_token();
        let present = broker.take();
        let running = async {
            if let Some(broker) = present {
                broker.run(own.clone()).await
            } else {
                own.cancelled().await;
                Vec::new()
            }
        };
        tokio::pin!(running);
        let switch = tokio::select! {
            _ = &mut running => return,
            Some(switch) = switches.recv() => switch,
        };
        own.cancel();
        let left = running.await;
        match &switch.next {
            Some(next) => {
                let outbound = next.outbound();
                tokio::spawn(async move {
                    for message in left {
                        // An error: this link has ended, too.
                        drop(outbound.send(message).await);
                    }
                });
            }
            None => board.remove_source(SourceKind::Broker),
        }
        broker = switch.next;
        // An error: the reload does not wait for it.
        let _ = switch.ended.send(());
    }
}

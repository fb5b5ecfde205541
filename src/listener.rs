//! Binds TCP listeners, also beside the listener that a new one replaces.
//!
//! **Guarantee:** the old listener still accepts connections while the new one is bound, also where
//! both have the same port, such as `0.0.0.0:1883` and `127.0.0.1:1883`.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rustix::net::sockopt::set_socket_reuseport;
use tokio::net::{TcpListener, TcpSocket};

use crate::clock;

/// Connections that the kernel holds until they are accepted. With fewer, a client that connects
/// while many others do waits a second for its next attempt.
const BACKLOG_MAX: u32 = 4_096;
/// How long to wait for a replaced listener to be closed.
pub const CLOSED_WITHIN: Duration = Duration::from_millis(500);
pub const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Binds an address. Call it inside the runtime that will accept the connections.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    listen(address, false)
}

/// Binds an address beside the listener that the new one replaces. Waits for a listener that the
/// reload before has replaced, and that is about to be closed.
pub async fn bind_beside(
    address: SocketAddr,
    old: Option<&TcpListener>,
) -> io::Result<TcpListener> {
    let begun = clock::instant();
    loop {
        match try_bind_beside(address, old) {
            Err(error)
                if error.kind() == io::ErrorKind::AddrInUse && begun.elapsed() < CLOSED_WITHIN =>
            {
                tokio::time::sleep(LOOK_EVERY).await;
            }
            bound => return bound,
        }
    }
}

fn try_bind_beside(address: SocketAddr, old: Option<&TcpListener>) -> io::Result<TcpListener> {
    let error = match bind(address) {
        Ok(listener) => return Ok(listener),
        Err(error) => error,
    };
    let port = |old: &TcpListener| old.local_addr().map(|old| old.port());
    match old {
        Some(old) if error.kind() == io::ErrorKind::AddrInUse && port(old)? == address.port() => {
            // Linux allows it if both sockets have the option (socket(7)).
            set_socket_reuseport(old, true)?;
            let new = listen(address, true);
            set_socket_reuseport(old, false)?;
            let new = new?;
            set_socket_reuseport(&new, false)?;
            Ok(new)
        }
        _ => Err(error),
    }
}

fn listen(address: SocketAddr, is_beside: bool) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    // The standard library sets this option, too: after a restart the port is free at once.
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(is_beside)?;
    socket.bind(address)?;
    socket.listen(BACKLOG_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpStream;

    #[tokio::test]
    async fn a_listener_is_bound_beside_the_old_one_on_the_same_port_but_not_beside_another() {
        let all = bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let port = all.local_addr().unwrap().port();
        let own = SocketAddr::from(([127, 0, 0, 1], port));
        let busy = bind_beside(own, None).await.unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::AddrInUse);
        let other = bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let busy = bind_beside(own, Some(&other)).await.unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::AddrInUse);

        let new = bind_beside(own, Some(&all)).await.unwrap();
        drop(all);
        let (client, accepted) = tokio::join!(TcpStream::connect(own), new.accept());
        client.unwrap();
        accepted.unwrap();
        // And back.
        let all = SocketAddr::from(([0, 0, 0, 0], port));
        let back = bind_beside(all, Some(&new)).await.unwrap();
        drop(new);
        let (client, accepted) = tokio::join!(TcpStream::connect(own), back.accept());
        client.unwrap();
        accepted.unwrap();
        // The port belongs to one listener alone again.
        let busy = bind_beside(own, None).await.unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::AddrInUse);
    }
}

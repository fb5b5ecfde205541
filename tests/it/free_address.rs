//! Addresses for programs that a test starts and that need a fixed port.
//!
//! A port that the kernel chose is free again as soon as its listener closes, and the kernel may
//! give it to another test before the program listens. These ports are below the range from which
//! Linux chooses (32768 and up), and no two calls in a process return the same one.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

const FIRST: u32 = 10_000;
const COUNT: u32 = 20_000;

/// A loopback address on which nobody listens.
pub fn free_address() -> SocketAddr {
    // Two processes with tests begin at different ports.
    static NEXT: LazyLock<AtomicU32> =
        LazyLock::new(|| AtomicU32::new(std::process::id().wrapping_mul(97)));
    for _ in 0..COUNT {
        let port = FIRST + NEXT.fetch_add(1, Ordering::Relaxed) % COUNT;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, u16::try_from(port).unwrap()));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
    panic!("no free port from {FIRST} to {}", FIRST + COUNT - 1);
}

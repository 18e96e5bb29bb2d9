//! Free ports for servers, and the bus port that Redis cluster puts 10,000 above each.

use super::error::DataError;
use rand::RngExt;
use std::net::{Ipv4Addr, TcpListener};

/// How far above a server's port the bus port of its cluster is.
pub(crate) const BUS_OFFSET: u16 = 10_000;
/// Below the ephemeral range of Linux (32768) for the port and for its bus port.
const RANGE: std::ops::Range<u16> = 11_000..22_700;
const TRIES: usize = 2_000;

/// Ports that were free a moment ago. They stay bound while this lives; drop it right before the servers bind.
pub(crate) struct Ports {
    pub(crate) numbers: Vec<u16>,
    _held: Vec<TcpListener>,
}

/// `count` different ports, free on 127.0.0.1 together with their bus ports.
pub(crate) fn pick(count: usize) -> Result<Ports, DataError> {
    let mut numbers = Vec::with_capacity(count);
    let mut held = Vec::with_capacity(count * 2);
    let mut rng = rand::rng();
    for _ in 0..TRIES {
        if numbers.len() == count {
            break;
        }
        let port = rng.random_range(RANGE);
        let bind = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        if let (Ok(data), Ok(bus)) = (bind(port), bind(port + BUS_OFFSET)) {
            numbers.push(port);
            held.push(data);
            held.push(bus);
        }
    }
    if numbers.len() < count {
        return Err(DataError::Local {
            during: "looking for free ports on 127.0.0.1".to_owned(),
            reason: format!("only {} of {count} found", numbers.len()),
        });
    }
    Ok(Ports { numbers, _held: held })
}

//! What a server or the network said, as a failure with its class and its mend.

use std::io;

use redis::{RedisError, ServerError};

use crate::engine::{Class, Failure};

/// What an ACL user needs to read everything a comparison reads.
const READER: &str = "a reader needs `~* +@read +@connection +scan +dbsize +time +info +cluster|slots +memory|usage \
                      +function|list` (on ElastiCache: the user's access string; on MemoryDB: the user behind the ACL)";

/// Why a command gave no usable answer.
pub(super) enum Fault {
    /// The key's slot is, or is about to be, on another node.
    Elsewhere,
    /// The key changed its type or went away between two commands.
    Changed,
    /// Anything else.
    Failed(Failure),
}

impl From<Failure> for Fault {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// What the failure of one command at `at` ("host:port") means.
pub(super) fn fault(error: &ServerError, at: &str) -> Fault {
    about_key(error.code(), error.details().unwrap_or_default())
        .unwrap_or_else(|| Fault::Failed(refused(error, at)))
}

/// The same for an error of the client, which may hold what the server answered.
pub(super) fn fault_of(error: &RedisError, at: &str) -> Fault {
    error
        .code()
        .and_then(|code| about_key(code, error.detail().unwrap_or_default()))
        .unwrap_or_else(|| Fault::Failed(broken(error, at)))
}

fn about_key(code: &str, details: &str) -> Option<Fault> {
    match code {
        "MOVED" | "ASK" => Some(Fault::Elsewhere),
        "WRONGTYPE" | "NOGROUP" => Some(Fault::Changed),
        _ if details.contains("no such key") => Some(Fault::Changed),
        _ => None,
    }
}

/// A server's error answer as a failure.
pub(super) fn refused(error: &ServerError, at: &str) -> Failure {
    refusal(error.code(), error.details().unwrap_or_default(), at)
}

fn refusal(code: &str, details: &str, at: &str) -> Failure {
    let said = format!("{code} {details}").trim().to_owned();
    match code {
        "WRONGPASS" => Failure::new(Class::Denied, format!("{at} refused user and password"))
            .because(said)
            .mend("check `user` and that `password` refers to the current password"),
        "NOAUTH" => Failure::new(Class::Denied, format!("{at} wants a login"))
            .because(said)
            .mend("give `user` and `password`"),
        "NOPERM" => Failure::new(Class::Denied, format!("{at} does not let this user read"))
            .because(said)
            .mend(READER),
        "LOADING" | "MASTERDOWN" | "BUSY" => {
            Failure::new(Class::Busy, format!("{at} is not ready")).because(said)
        }
        "CLUSTERDOWN" | "TRYAGAIN" | "UNBLOCKED" => {
            Failure::new(Class::Transient, format!("{at} cannot answer now")).because(said)
        }
        _ if details.contains("without any password configured") => {
            Failure::new(Class::Denied, format!("{at} has no password for its default user"))
                .because(said)
                .mend("remove `password`, or name the `user` it belongs to")
        }
        _ if details.contains("max number of clients") => {
            Failure::new(Class::Transient, format!("{at} takes no more connections")).because(said)
        }
        _ => Failure::fatal(format!("{at} answered with an error")).because(said),
    }
}

/// A failed exchange with `at` as a failure.
pub(super) fn broken(error: &RedisError, at: &str) -> Failure {
    if error.is_timeout() {
        return Failure::new(Class::Transient, format!("{at} did not answer in time"));
    }
    if error.is_io_error() || error.is_connection_dropped() {
        return Failure::new(Class::Transient, format!("the connection to {at} broke"))
            .because(error.to_string())
            .mend("if this comes at once, look whether `tls` fits the server");
    }
    match error.code() {
        Some(code) => refusal(code, error.detail().unwrap_or_default(), at),
        None => {
            Failure::fatal(format!("{at} sent what is not understood")).because(error.to_string())
        }
    }
}

/// A connection that could not be made.
pub(super) fn unreachable(error: &io::Error, at: &str) -> Failure {
    let reach = || Failure::new(Class::Transient, format!("cannot reach {at}"));
    match error.kind() {
        io::ErrorKind::TimedOut => reach()
            .because("no answer within 5 s")
            .mend("check that this machine is in the VPC, or routed to it, and that the security group lets it in"),
        _ => reach().because(error.to_string()),
    }
}

/// A TLS session that could not be made.
pub(super) fn untrusted(error: &io::Error, at: &str) -> Failure {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match cause {
        Some(rustls::Error::InvalidCertificate(why)) => {
            Failure::fatal(format!("the certificate of {at} is not trusted"))
                .because(why.to_string())
                .mend("use the name the certificate is for; for a private CA give its certificate")
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            Failure::fatal(format!("{at} does not speak TLS")).mend("set `tls: false` for it")
        }
        Some(other) => {
            Failure::fatal(format!("no TLS session with {at}")).because(other.to_string())
        }
        None => Failure::new(Class::Transient, format!("no TLS session with {at}"))
            .because(error.to_string())
            .mend("if this stays, the server may not speak TLS: set `tls: false` for it"),
    }
}

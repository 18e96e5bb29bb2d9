//! The configuration file of one server.

use super::acl::{ADMIN, hashed};
use std::fmt::Write;
use std::path::Path;

/// What differs between one server and the next.
pub(crate) struct ServerConfig<'a> {
    pub(crate) folder: &'a Path,
    /// `None` listens on the socket file alone.
    pub(crate) port: Option<u16>,
    pub(crate) cluster_mode: bool,
    pub(crate) tls: bool,
    pub(crate) admin_password: &'a str,
    /// The program's major version.
    pub(crate) major: u32,
}

/// Where things are in a server's folder.
pub(crate) mod files {
    pub(crate) const CONFIG: &str = "server.conf";
    pub(crate) const SOCKET: &str = "s";
    pub(crate) const LOG: &str = "log";
    pub(crate) const STDERR: &str = "stderr";
    pub(crate) const DUMP: &str = "dump.rdb";
    pub(crate) const CA: &str = "ca.pem";
    pub(crate) const CERTIFICATE: &str = "server.pem";
    pub(crate) const KEY: &str = "server.key";
}

impl ServerConfig<'_> {
    /// The file's text: the sandbox's own user (its password as SHA-256) and no other; `default` is off until the
    /// cluster's users are set.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |words: &str| {
            text.push_str(words);
            text.push('\n');
        };
        let folder = self.folder.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"");
        line("bind 127.0.0.1");
        line("protected-mode yes");
        line("daemonize no");
        line(&format!("dir \"{folder}\""));
        line(&format!("unixsocket \"{folder}/{}\"", files::SOCKET));
        line("unixsocketperm 700");
        line(&format!("logfile \"{folder}/{}\"", files::LOG));
        line("always-show-logo no");
        line("save \"\"");
        line("appendonly no");
        line(&format!("dbfilename {}", files::DUMP));
        if self.major >= 7 {
            line("enable-debug-command no");
            line("enable-module-command no");
            line("enable-protected-configs no");
        }
        match self.port {
            Some(port) if self.tls => {
                line("port 0");
                line(&format!("tls-port {port}"));
                line(&format!("tls-ca-cert-file \"{folder}/{}\"", files::CA));
                line(&format!("tls-cert-file \"{folder}/{}\"", files::CERTIFICATE));
                line(&format!("tls-key-file \"{folder}/{}\"", files::KEY));
                line("tls-auth-clients no");
                line("tls-replication yes");
            }
            Some(port) => line(&format!("port {port}")),
            None => line("port 0"),
        }
        if self.cluster_mode {
            line("cluster-enabled yes");
            line("cluster-config-file nodes.conf");
            line("cluster-node-timeout 5000");
            // As in AWS's default parameter groups.
            line("cluster-require-full-coverage no");
            if self.major >= 7 {
                // Or a primary whose last slot moves away makes itself a replica in the middle of a resharding.
                line("cluster-allow-replica-migration no");
            }
            if self.tls {
                line("tls-cluster yes");
            }
        }
        let _ = writeln!(text, "user {ADMIN} reset on {} ~* &* +@all", hashed(self.admin_password));
        text.push_str("user default reset\n");
        text
    }
}

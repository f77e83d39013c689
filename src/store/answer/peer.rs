//! Closing connections from outside: the driver gives no way to its sockets.

use crate::store::config::Config;

/// A server, by what its connections are known by.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "only Linux can be asked"))]
pub(super) struct Server {
    port: u16,
    /// Where its socket is, if it is one of this machine.
    folder: Option<String>,
}

impl Server {
    pub(super) fn of(config: &Config) -> Self {
        Self { port: config.port, folder: config.host.starts_with('/').then(|| config.host.clone()) }
    }
}

/// Ends all connections of this process to a server, as if it had hung up. Where the system does not allow it they end a
/// little later, with the answers that nobody waits for any more.
#[cfg(target_os = "linux")]
pub(super) fn close_connections(server: &Server) {
    use rustix::net::{Shutdown, getpeername, shutdown};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let Ok(process) = pidfd_open(getpid(), PidfdFlags::empty()) else { return };
    let Ok(open) = std::fs::read_dir("/proc/self/fd") else { return };
    let numbers = open.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    for number in numbers {
        let Ok(copy) = pidfd_getfd(&process, number, PidfdGetfdFlags::empty()) else { continue };
        if let Ok(Some(peer)) = getpeername(&copy)
            && is_of(server, peer)
        {
            // It may have ended by itself.
            let _ = shutdown(&copy, Shutdown::Both);
        }
    }
}

#[cfg(target_os = "linux")]
fn is_of(server: &Server, peer: rustix::net::SocketAddrAny) -> bool {
    use rustix::net::{SocketAddr, SocketAddrUnix};

    if let Ok(address) = SocketAddr::try_from(peer.clone()) {
        return server.folder.is_none() && address.port() == server.port;
    }
    let (Ok(address), Some(folder)) = (SocketAddrUnix::try_from(peer), &server.folder) else { return false };
    let name = format!("{}/.s.PGSQL.{}", folder.trim_end_matches('/'), server.port);
    address.path_bytes().is_some_and(|path| path == name.as_bytes())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn close_connections(_: &Server) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn connections_to_one_server_end_and_those_to_others_do_not() {
        let [one, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let connect = |listener: &TcpListener| {
            let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            (near, listener.accept().unwrap().0)
        };
        let ((mut near, _far), (mut apart, _apart)) = (connect(&one), connect(&other));
        close_connections(&Server { port: one.local_addr().unwrap().port(), folder: None });
        assert_eq!(near.read(&mut [0]).unwrap(), 0);
        apart.set_nonblocking(true).unwrap();
        assert_eq!(apart.read(&mut [0]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    }
}

//! Whether a host is this machine: what stays on it cannot be overheard on a network.

use std::net::IpAddr;

/// Whether a host is this machine by its name or address: the folder of a socket, a loopback address, `localhost`. Other
/// names are not, also not those that end in `.localhost`: resolvers may ask the network for them.
#[must_use]
pub fn is_local(host: &str) -> bool {
    if host.starts_with('/') || host.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_and_loopback_addresses_are_local_and_nothing_else() {
        for host in
            ["/run/postgresql", "localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1", "[::1]", "::ffff:127.0.0.1"]
        {
            assert!(is_local(host), "{host}");
        }
        for host in [
            "",
            "db",
            "db.localhost",
            "localhost.",
            "localhost.example.com",
            "127.0.0.1.example.com",
            "0.0.0.0",
            "10.0.0.1",
            "192.168.1.1",
            "::",
            "fe80::1",
            "::ffff:10.0.0.1",
        ] {
            assert!(!is_local(host), "{host}");
        }
    }
}

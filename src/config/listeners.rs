//! Listeners: `NAME://HOST:PORT`, their protocols, and the addresses that clients are told.

use super::key::list_elements;
use super::raw::ConfigError;

/// Where the broker listens, and what it tells clients who came through here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// In capitals.
    pub name: String,
    /// Empty: all interfaces. An IPv6 address is without brackets.
    pub host: String,
    /// 0: any free port.
    pub port: u16,
    /// Empty, if it is for the runtime to find out the host's name: nobody set one.
    pub advertised_host: String,
    /// 0: the port that `port` became.
    pub advertised_port: u16,
}

/// One `NAME://HOST:PORT`.
struct Address {
    name: String,
    host: String,
    port: u16,
}

/// Makes the listeners out of the texts of four keys.
///
/// Errors: no listener, two of one name or port, an advertised address without listener, a protocol other than PLAINTEXT.
pub(super) fn parse(
    listeners: &str,
    advertised: Option<&str>,
    protocols: &str,
    controller_names: &str,
) -> Result<Vec<Listener>, ConfigError> {
    let is_controller =
        |name: &str| list_elements(controller_names).any(|controller| controller.eq_ignore_ascii_case(name));
    let mut found: Vec<Listener> = Vec::new();
    for Address { name, host, port } in addresses("listeners", listeners)? {
        if is_controller(&name) {
            continue;
        }
        if found.iter().any(|listener| listener.name == name) {
            return Err(ConfigError::new(
                "listeners",
                Some(listeners),
                format!("two listeners are named {name}"),
            ));
        }
        if port != 0 && found.iter().any(|listener| listener.port == port && listener.host == host) {
            return Err(ConfigError::new("listeners", Some(listeners), format!("port {port} is used twice")));
        }
        require_plaintext(&name, protocols)?;
        let (advertised_host, advertised_port) = (host.clone(), port);
        found.push(Listener { name, host, port, advertised_host, advertised_port });
    }
    if found.is_empty() {
        return Err(ConfigError::new(
            "listeners",
            Some(listeners),
            "no listener for clients; example: PLAINTEXT://:9092",
        ));
    }
    advertise(&mut found, advertised, &is_controller)?;
    Ok(found)
}

fn advertise(
    listeners: &mut [Listener],
    advertised: Option<&str>,
    is_controller: &dyn Fn(&str) -> bool,
) -> Result<(), ConfigError> {
    let key = "advertised.listeners";
    for Address { name, host, port } in addresses(key, advertised.unwrap_or_default())? {
        if is_controller(&name) {
            continue;
        }
        let listener = listeners.iter_mut().find(|listener| listener.name == name);
        let listener = listener.ok_or_else(|| {
            ConfigError::new(key, advertised, format!("there is no listener named {name} in `listeners`"))
        })?;
        listener.advertised_host = host;
        listener.advertised_port = port;
    }
    for listener in listeners {
        // Nobody can connect to "any address".
        if matches!(listener.advertised_host.as_str(), "0.0.0.0" | "::") {
            if advertised.is_some() {
                let problem = format!(
                    "clients cannot connect to {}; name an address of this host",
                    listener.advertised_host
                );
                return Err(ConfigError::new(key, advertised, problem));
            }
            listener.advertised_host.clear();
        }
    }
    Ok(())
}

fn addresses(key: &str, text: &str) -> Result<Vec<Address>, ConfigError> {
    let wrong = |element: &str| {
        ConfigError::new(
            key,
            Some(text),
            format!("{element:?} is not NAME://HOST:PORT with a port of 0 to 65535"),
        )
    };
    list_elements(text).map(|element| address(element).ok_or_else(|| wrong(element))).collect()
}

fn address(element: &str) -> Option<Address> {
    let (name, rest) = element.split_once("://")?;
    let (host, port) = rest.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(host) => host.strip_suffix(']')?,
        None if host.contains(':') => return None,
        None => host,
    };
    let name_is_valid = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'));
    let host_is_valid =
        host.len() <= 255 && !host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '/');
    let port_is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    if !name_is_valid || !host_is_valid || !port_is_number {
        return None;
    }
    Some(Address { name: name.to_ascii_uppercase(), host: host.to_owned(), port: port.parse().ok()? })
}

fn require_plaintext(name: &str, protocols: &str) -> Result<(), ConfigError> {
    let key = "listener.security.protocol.map";
    let protocol = list_elements(protocols)
        .filter_map(|pair| pair.split_once(':'))
        .find(|(listener, _)| listener.trim().eq_ignore_ascii_case(name))
        .map(|(_, protocol)| protocol.trim());
    match protocol {
        Some("PLAINTEXT") => Ok(()),
        Some(other) => {
            let problem = format!("listener {name} asks for {other}, but only PLAINTEXT can be served");
            Err(ConfigError::new(key, Some(protocols), problem))
        }
        None => {
            let problem = format!("it lacks listener {name}; add {name}:PLAINTEXT");
            Err(ConfigError::new(key, Some(protocols), problem))
        }
    }
}

//! The start sequence, top to bottom, and the stop.
//!
//! preflight -> lock -> identity -> bind -> metadata log -> recovery -> executors -> listen -> ready. Ports are bound early, so
//! that a taken one is told before recovery; nobody can connect before the end.

use std::io;
use std::mem;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use socket2::Socket;

use crate::config::{Config, Listener};
use crate::model::LogDir;

use super::catalogue_keeper::keep_catalogues;
use super::clock::Clock;
use super::control_thread::{Health, bind_admin, on_signals, serve_admin};
use super::disk_space::{self, Watched};
use super::executors::{Common, Executors, ShardSeed};
use super::listener::{Gate, bind, local_address};
use super::log_dirs::{self, FoundDir, FoundDirs};
use super::preflight::{self, StartError};
use super::removal;
use super::shards;
use super::sockets::SocketConfig;

/// What the command line says beyond the configuration.
#[derive(Debug, Clone)]
pub struct Options {
    pub config: Config,
    /// In the order of `log.dirs`.
    pub data_dirs: Vec<PathBuf>,
    /// The cores of the shards; None: all that are allowed.
    pub cpus: Option<Vec<usize>>,
    /// Keep each shard on its core.
    pub pin: bool,
    pub admin: Option<SocketAddr>,
    /// When the process began.
    pub started: Instant,
}

/// What there is to tell once clients can connect.
#[derive(Debug, Clone)]
pub struct Ready {
    /// The address of each listener, in their order; port 0 is resolved.
    pub listeners: Vec<(String, SocketAddr)>,
    pub admin: Option<SocketAddr>,
    pub data_dirs: Vec<PathBuf>,
    pub shards: u16,
    pub cpus: Option<Vec<usize>>,
    pub cluster_id: String,
    pub took: Duration,
}

/// Runs the broker until a signal stops it. `on_ready` is called once, when clients can connect.
pub fn run(options: Options, on_ready: impl FnOnce(&Ready)) -> Result<ExitCode, StartError> {
    abort_on_panic();
    preflight::check_process()?;
    let cpus = shard_cpus(&options)?;
    let shards = shard_count(&options.config, &cpus);
    let found = log_dirs::open(&options.data_dirs, &options.config)?;
    let admin = options
        .admin
        .map(|address| bind_admin(address).map_err(|error| preflight::bind_error("admin", address, &error)));
    let admin = admin.transpose()?;
    let Bound { mut config, sockets, addresses } = bind_all(options.config, shards)?;
    config.log_dirs = options.data_dirs.iter().map(|path| path.display().to_string()).collect();
    let config = Arc::new(config);
    let clock = Clock::since(options.started);
    let prepared = shards::prepare(&found, &config, shards, clock.now())?;

    let common = Common {
        clock,
        data_dirs: options.data_dirs.clone().into(),
        reserves: found.dirs.iter().map(|dir| dir.reserve.clone()).collect(),
        shards,
        cpus: options.pin.then(|| cpus.clone()),
        sockets: socket_config(&config),
    };
    let mut left_over = left_over(&found);
    let (ready, started) = unbounded();
    let seeds = prepared.into_iter().zip(by_shard(sockets, shards));
    let seeds = seeds.map(|(prepared, listeners)| ShardSeed {
        listeners,
        metadata: prepared.metadata,
        // All by the first shard.
        left_over: mem::take(&mut left_over),
        make: prepared.make,
    });
    let executors = Executors::start(&common, seeds.collect(), &ready).map_err(cannot_start)?;
    let health = Arc::new(Health::default());
    on_signals(executors.postboxes.clone(), Arc::clone(&health)).map_err(cannot_start)?;
    let watched = (0_u8..).map(LogDir).zip(&found.dirs).filter(|(_, dir)| dir.is_online);
    let watched =
        watched.map(|(number, dir)| Watched::new(number, dir.path.clone(), dir.reserve.clone())).collect();
    disk_space::watch(watched, config.free_bytes_min, executors.postboxes.clone()).map_err(cannot_start)?;
    keep_catalogues(found.online().map(|dir| dir.path.clone()).collect()).map_err(cannot_start)?;
    for _ in 0..shards {
        started.recv().map_err(|_| io::ErrorKind::BrokenPipe.into()).flatten().map_err(cannot_start)?;
    }
    health.ready.store(true, Ordering::Relaxed);
    let admin_address = match admin {
        None => None,
        Some(listener) => {
            let address = listener.local_addr().map_err(cannot_start)?;
            serve_admin(listener, executors.postboxes.clone(), Arc::clone(&health)).map_err(cannot_start)?;
            Some(address)
        }
    };
    on_ready(&Ready {
        listeners: addresses,
        admin: admin_address,
        data_dirs: options.data_dirs,
        shards,
        cpus: options.pin.then_some(cpus),
        cluster_id: found.cluster_id.clone(),
        took: options.started.elapsed(),
    });
    match executors.join() {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => Err(StartError::new(format!("the broker could not go on: {error}"), String::new())),
    }
}

/// What is to be removed of deleted partitions in all log dirs that are used.
fn left_over(found: &FoundDirs) -> Vec<PathBuf> {
    let of_dir = |dir: &FoundDir| {
        removal::left_over(&dir.path).unwrap_or_else(|error| {
            tracing::warn!(path = %dir.path.display(), %error, "cannot look for what is left of deleted partitions");
            Vec::new()
        })
    };
    found.online().flat_map(of_dir).collect()
}

/// A broken shard must not go on beside healthy ones: what it knows may be wrong.
fn abort_on_panic() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        print(panic);
        std::process::abort();
    }));
}

fn shard_cpus(options: &Options) -> Result<Vec<usize>, StartError> {
    match &options.cpus {
        Some(cpus) => {
            preflight::check_cpus(cpus)?;
            Ok(cpus.clone())
        }
        None => preflight::allowed_cpus(),
    }
}

fn shard_count(config: &Config, cpus: &[usize]) -> u16 {
    let one_each = u16::try_from(cpus.len()).unwrap_or(u16::MAX).max(1);
    if config.shards == 0 { one_each } else { config.shards }
}

struct Bound {
    /// With the ports and names that clients are told.
    config: Config,
    /// By listener, by shard.
    sockets: Vec<Vec<Socket>>,
    addresses: Vec<(String, SocketAddr)>,
}

fn bind_all(mut config: Config, shards: u16) -> Result<Bound, StartError> {
    let mut sockets = Vec::new();
    let mut addresses = Vec::new();
    for listener in &mut config.listeners {
        let wanted = resolve(listener)?;
        let bound =
            bind(wanted, shards).map_err(|error| preflight::bind_error(&listener.name, wanted, &error))?;
        let address = local_address(&bound[0]).map_err(cannot_start)?;
        if listener.advertised_port == 0 {
            listener.advertised_port = address.port();
        }
        if listener.advertised_host.is_empty() {
            listener.advertised_host = host_name(address);
        }
        listener.port = address.port();
        addresses.push((listener.name.clone(), address));
        sockets.push(bound);
    }
    Ok(Bound { config, sockets, addresses })
}

fn resolve(listener: &Listener) -> Result<SocketAddr, StartError> {
    if listener.host.is_empty() {
        return Ok(SocketAddr::from(([0, 0, 0, 0], listener.port)));
    }
    let found = (listener.host.as_str(), listener.port).to_socket_addrs();
    found.ok().and_then(|mut addresses| addresses.next()).ok_or_else(|| {
        StartError::new(
            format!("listener {}: {} cannot be resolved", listener.name, listener.host),
            "name an address of this host",
        )
    })
}

/// What clients are told when nobody said: the address if it is one, else this host's name.
fn host_name(address: SocketAddr) -> String {
    if !address.ip().is_unspecified() {
        return address.ip().to_string();
    }
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".to_owned() } else { name }
}

fn by_shard(listeners: Vec<Vec<Socket>>, shards: u16) -> Vec<Vec<Socket>> {
    let mut shards: Vec<Vec<Socket>> = (0..shards).map(|_| Vec::new()).collect();
    for sockets in listeners {
        for (shard, socket) in shards.iter_mut().zip(sockets) {
            shard.push(socket);
        }
    }
    shards
}

fn socket_config(config: &Config) -> SocketConfig {
    let usize_of = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    SocketConfig {
        frame_bytes_max: config.request_bytes_max.min(crate::limits::REQUEST_BYTES_MAX),
        idle_ms_max: config.connection_idle_ms_max.unwrap_or(u64::MAX),
        gate: Arc::new(Gate::new(usize_of(config.connections_max), usize_of(config.connections_per_ip_max))),
    }
}

fn cannot_start(error: io::Error) -> StartError {
    StartError::new(format!("cannot start: {error}"), String::new())
}

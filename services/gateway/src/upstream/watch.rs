//! Keeps the list of replicas true: names are resolved again and every replica is asked whether it is ready.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kit::CancellationToken;

use super::{Health, Replica, Upstream};
use crate::clients::private;
use crate::config::ReplicaConfig;

/// A replica that needs longer to say that it is ready is not.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);
const RESOLVE_WITHIN: Duration = Duration::from_secs(2);

/// Looks after one service until `stop`.
pub async fn watch(upstream: Arc<Upstream>, every: Duration, stop: CancellationToken) -> anyhow::Result<()> {
    while !stop.is_cancelled() {
        upstream.resolve().await;
        upstream.check_all().await;
        upstream.count_replicas();
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(every) => {}
        }
    }
    Ok(())
}

impl Upstream {
    /// Resolves the names of the replicas. A name that does not resolve keeps the addresses it had.
    pub async fn resolve(&self) {
        let known = self.replicas();
        let mut replicas: Vec<Arc<Replica>> = Vec::with_capacity(known.len());
        for (configured, found) in self.configured.iter().zip(join_all(self.configured.iter().map(addresses)).await) {
            match found {
                Ok(found) => {
                    for (addr, private) in found {
                        self.keep_or_add(&known, &mut replicas, configured, addr, private);
                    }
                }
                Err(error) => {
                    tracing::warn!(upstream = %self.service, replica = %configured.public, %error, "A name does not resolve");
                    let authority = authority(configured);
                    replicas.extend(known.iter().filter(|replica| replica.authority == authority).cloned());
                }
            }
        }
        replicas.sort_by_key(|replica| replica.addr);
        replicas.dedup_by_key(|replica| replica.addr);
        if !same(&known, &replicas) {
            let addrs: Vec<_> = replicas.iter().map(|replica| replica.addr).collect();
            tracing::info!(upstream = %self.service, replicas = ?addrs, "The replicas of a service changed");
            self.replicas.store(Arc::new(replicas));
        }
    }

    /// A replica that stays keeps what is known of it.
    fn keep_or_add(
        &self,
        known: &[Arc<Replica>],
        replicas: &mut Vec<Arc<Replica>>,
        configured: &ReplicaConfig,
        addr: SocketAddr,
        private: Option<SocketAddr>,
    ) {
        if let Some(replica) = known.iter().find(|replica| replica.addr == addr && replica.private == private) {
            replicas.push(Arc::clone(replica));
            return;
        }
        match Replica::new(addr, private, &authority(configured)) {
            Ok(replica) => replicas.push(Arc::new(replica)),
            Err(error) => tracing::error!(upstream = %self.service, %error, "A replica's name cannot be a Host header"),
        }
    }

    /// Asks every replica whether it is ready.
    pub async fn check_all(&self) {
        join_all(self.replicas().iter().map(|replica| async {
            let health = if is_ready(replica).await { Health::Well } else { Health::Ill };
            if replica.found(health) {
                tracing::info!(
                    upstream = %self.service, upstream.replica = %replica.addr, health = health.name(),
                    "A replica's health changed"
                );
            }
        }))
        .await;
    }
}

async fn is_ready(replica: &Replica) -> bool {
    let Some(private) = replica.private else { return false };
    private::get(private, "/readyz", ANSWER_WITHIN).await.is_ok_and(|(status, _)| status.is_success())
}

/// The addresses behind one configured replica, each with its private port.
async fn addresses(configured: &ReplicaConfig) -> io::Result<Vec<(SocketAddr, Option<SocketAddr>)>> {
    let publics = lookup(&configured.public).await?;
    let elsewhere = if configured.has_one_host() { None } else { lookup(&configured.private).await?.first().copied() };
    Ok(publics.into_iter().map(|public| (public, configured.private_for(public).or(elsewhere))).collect())
}

async fn lookup(url: &url::Url) -> io::Result<Vec<SocketAddr>> {
    let port = url.port_or_known_default().unwrap_or(80);
    match url.host() {
        Some(url::Host::Ipv4(ip)) => Ok(vec![(ip, port).into()]),
        Some(url::Host::Ipv6(ip)) => Ok(vec![(ip, port).into()]),
        Some(url::Host::Domain(name)) => {
            let resolved = tokio::time::timeout(RESOLVE_WITHIN, tokio::net::lookup_host((name, port)));
            let found = resolved.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            Ok(found.collect())
        }
        None => Err(io::ErrorKind::InvalidInput.into()),
    }
}

fn authority(configured: &ReplicaConfig) -> String {
    configured.public.authority().to_owned()
}

fn same(left: &[Arc<Replica>], right: &[Arc<Replica>]) -> bool {
    left.len() == right.len() && left.iter().zip(right).all(|(left, right)| Arc::ptr_eq(left, right))
}

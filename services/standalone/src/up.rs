//! `brainops up`: everything in one process, until a signal or a failure ends it.

use std::{io, net::TcpListener, time::Instant};

use ai::Ai;
use auth::Auth;
use futures_util::future::select_all;
use gateway::Gateway;
use inference::Inference;
use kit::{Service as _, Started};
use memory::Memory;

use crate::{
    cli::Place,
    installation::Installation,
    migrate::migrate_all,
    progress::say,
    services::{Part, SERVICES},
    signals::Signals,
};

pub async fn up(place: Place) -> anyhow::Result<()> {
    let begun = Instant::now();
    let mut signals = Signals::new()?;
    // A taken port is the likeliest mistake; found now, it costs nothing.
    free(place.http)?;
    let started = async {
        let mut installation = Installation::open(&place).await?;
        match start(&mut installation).await {
            Ok(system) => Ok((installation, system)),
            Err(error) => {
                installation.infra.stop().await;
                Err(error)
            }
        }
    };
    let (installation, mut system) = tokio::select! {
        started = started => started?,
        () = signals.next() => return Ok(()),
    };
    welcome(&installation, begun);
    let failure = tokio::select! {
        () = signals.next() => None,
        failure = system.failed() => Some(failure),
    };
    say(format_args!("Stopping; a second signal ends everything at once."));
    let leaving = async {
        system.stop().await;
        installation.infra.stop().await;
    };
    tokio::select! {
        () = leaving => say(format_args!("Stopped.")),
        // Private servers end with this process, whatever it was doing.
        () = signals.next() => std::process::exit(1),
    }
    failure.map_or(Ok(()), Err)
}

/// All services, running, in the order in which they started.
struct System(Vec<Started>);

async fn start(installation: &mut Installation) -> anyhow::Result<System> {
    let begun = Instant::now();
    installation.provision().await?;
    migrate_all(installation).await?;
    say(format_args!("Schemas are up to date ({:.1?})", begun.elapsed()));

    for path in installation.missing_models() {
        say(format_args!("No local model at {path} (scripts/fetch-models.sh fetches it)"));
    }

    let mut running = Vec::new();
    // auth verifies with its own keys; the URL is where it will find itself once it listens.
    let mut known = vec![("BRAINOPS_AUTH_URL".to_owned(), "http://127.0.0.1:0".to_owned())];
    // ai asks memory and memory asks ai, so both addresses have to be known before either runs.
    let mut reserved = Reserved::take(&[Ai::NAME, Memory::NAME])?;
    known.extend(reserved.urls());
    for part in SERVICES {
        if part.name == Inference::NAME && !installation.offers_local_models() {
            continue;
        }
        if part.name == Gateway::NAME {
            known.push(("BRAINOPS_HTTP_ADDR".to_owned(), installation.http().to_string()));
        }
        let mut own = known.clone();
        own.extend(reserved.give(part.name));
        let started = launch(part, installation, &own).await?;
        known.extend(addresses(part, &started));
        running.push(started);
    }
    Ok(System(running))
}

/// Addresses of services that others are told of before they run. Nobody else can take one before its service does.
struct Reserved(Vec<(&'static str, TcpListener)>);

impl Reserved {
    fn take(services: &[&'static str]) -> anyhow::Result<Self> {
        let taken = services.iter().map(|service| Ok((*service, TcpListener::bind("127.0.0.1:0")?)));
        Ok(Self(taken.collect::<io::Result<_>>()?))
    }

    fn urls(&self) -> Vec<(String, String)> {
        let url = |(service, taken): &(&str, TcpListener)| {
            let addr = taken.local_addr().ok()?;
            Some((format!("BRAINOPS_{}_URL", service.to_uppercase()), format!("http://{addr}")))
        };
        self.0.iter().filter_map(url).collect()
    }

    /// Where the service has to listen, which it can from now on.
    fn give(&mut self, service: &str) -> Option<(String, String)> {
        let index = self.0.iter().position(|(name, _)| *name == service)?;
        let addr = self.0.swap_remove(index).1.local_addr().ok()?;
        Some(("BRAINOPS_HTTP_ADDR".to_owned(), addr.to_string()))
    }
}

/// What those that start later are told about a service that runs.
fn addresses(part: &Part, started: &Started) -> Vec<(String, String)> {
    let (url, private) = (format!("http://{}", started.addr), format!("http://{}", started.private_addr));
    let mut known = Vec::new();
    if part.name == Auth::NAME {
        known.push(("BRAINOPS_AUTH_URL".to_owned(), url.clone()));
    }
    if part.name == Inference::NAME {
        known.push(("BRAINOPS_LOCAL_INFERENCE_URL".to_owned(), format!("{url}/v1")));
    }
    if part.route.is_some() {
        let name = format!("BRAINOPS_UPSTREAM_{}", part.name.to_uppercase());
        known.push((format!("{name}_PRIVATE"), private));
        known.push((name, url));
    }
    known
}

async fn launch(part: &Part, installation: &mut Installation, known: &[(String, String)]) -> anyhow::Result<Started> {
    let begun = Instant::now();
    let started = (part.start)(installation.environment(part, known)?).await?;
    say(format_args!(
        "{} on {}, private port {} ({:.1?})",
        part.name,
        started.addr,
        started.private_addr.port(),
        begun.elapsed()
    ));
    Ok(started)
}

impl System {
    /// Waits until a part fails that the system cannot do without.
    async fn failed(&mut self) -> anyhow::Error {
        let (failure, ..) = select_all(self.0.iter_mut().map(|part| Box::pin(part.failed()))).await;
        failure
    }

    /// The gateway first, so that nothing new comes in; auth last, because the others verify tokens with its keys.
    async fn stop(self) {
        for part in self.0.into_iter().rev() {
            part.stop().await;
        }
    }
}

fn free(addr: std::net::SocketAddr) -> anyhow::Result<()> {
    match TcpListener::bind(addr) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => anyhow::bail!(
            "another process listens on {addr}. Choose another address: BRAINOPS_HTTP_ADDR=127.0.0.1:8081 make up"
        ),
        Err(error) => anyhow::bail!("cannot listen on {addr} ({error}). Set BRAINOPS_HTTP_ADDR to another address."),
    }
}

fn welcome(installation: &Installation, begun: Instant) {
    let url = installation.public_url();
    say(format_args!(
        r#"
BrainOps is up after {:.1?}. Ctrl-C stops all of it.

  gateway   {url}
  docs      {url}/docs

Try it:

  curl -s {url}/v1/auth/register -H 'content-type: application/json' \
    -d '{{"email":"ada@example.org","password":"correct horse battery staple","display_name":"Ada Lovelace"}}'
"#,
        begun.elapsed()
    ));
}

//! `brainops up`: everything in one process, until a signal or a failure ends it.

use std::time::Instant;

use auth::Auth;
use gateway::Gateway;
use kit::{Ports, Service, Started};
use users::Users;

use crate::{cli::Place, installation::Installation, migrate::migrate_all, progress::say, signals::Signals};

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

/// All services, running. The order is the one they start in.
struct System {
    auth: Started,
    users: Started,
    gateway: Started,
}

async fn start(installation: &mut Installation) -> anyhow::Result<System> {
    let begun = Instant::now();
    installation.provision().await?;
    migrate_all(installation).await?;
    say(format_args!("Schemas are up to date ({:.1?})", begun.elapsed()));

    // auth verifies with its own keys; the URL is where it will find itself once it listens.
    let auth = launch::<Auth>(installation, &[("BRAINOPS_AUTH_URL", "http://127.0.0.1:0".to_owned())]).await?;
    let auth_url = format!("http://{}", auth.addr);
    let users = launch::<Users>(installation, &[("BRAINOPS_AUTH_URL", auth_url.clone())]).await?;
    let gateway = launch::<Gateway>(
        installation,
        &[
            ("BRAINOPS_AUTH_URL", auth_url.clone()),
            ("BRAINOPS_HTTP_ADDR", installation.http().to_string()),
            ("BRAINOPS_UPSTREAM_AUTH", auth_url),
            ("BRAINOPS_UPSTREAM_AUTH_PRIVATE", format!("http://{}", auth.private_addr)),
            ("BRAINOPS_UPSTREAM_USERS", format!("http://{}", users.addr)),
            ("BRAINOPS_UPSTREAM_USERS_PRIVATE", format!("http://{}", users.private_addr)),
        ],
    )
    .await?;
    Ok(System { auth, users, gateway })
}

async fn launch<S: Service>(installation: &mut Installation, known: &[(&str, String)]) -> anyhow::Result<Started> {
    let begun = Instant::now();
    let env = installation.environment(S::NAME, known)?;
    let started = kit::start::<S>(env, Ports::real()).await?;
    say(format_args!(
        "{} on {}, private port {} ({:.1?})",
        S::NAME,
        started.addr,
        started.private_addr.port(),
        begun.elapsed()
    ));
    Ok(started)
}

impl System {
    /// Waits until a part fails that the system cannot do without.
    async fn failed(&mut self) -> anyhow::Error {
        tokio::select! {
            failure = self.auth.failed() => failure,
            failure = self.users.failed() => failure,
            failure = self.gateway.failed() => failure,
        }
    }

    /// The gateway first, so that nothing new comes in; auth last, because the others verify tokens with its keys.
    async fn stop(self) {
        for part in [self.gateway, self.users, self.auth] {
            part.stop().await;
        }
    }
}

fn free(addr: std::net::SocketAddr) -> anyhow::Result<()> {
    match std::net::TcpListener::bind(addr) {
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

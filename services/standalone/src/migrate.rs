//! `brainops migrate`: every service's schema, brought up by its owner role.

use auth::Auth;
use kit::{Service, Settings as _};
use users::Users;

use crate::{cli::Place, installation::Installation, progress::say};

pub async fn migrate(place: Place) -> anyhow::Result<()> {
    let mut installation = Installation::open(&place).await?;
    let migrated = async {
        installation.provision().await?;
        migrate_all(&mut installation).await
    }
    .await;
    installation.infra.stop().await;
    migrated?;
    say(format_args!("Schemas are up to date."));
    Ok(())
}

/// Migrates every schema; a schema that is up to date takes no time.
pub async fn migrate_all(installation: &mut Installation) -> anyhow::Result<()> {
    migrate_one::<Auth>(installation).await?;
    migrate_one::<Users>(installation).await
}

async fn migrate_one<S: Service>(installation: &mut Installation) -> anyhow::Result<()> {
    let mut env = installation.environment(S::NAME, &[("BRAINOPS_AUTH_URL", "http://127.0.0.1:0".to_owned())])?;
    let config = S::Config::read(&mut env);
    env.finish()?;
    S::migrate(config).await
}

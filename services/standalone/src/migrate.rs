//! `brainops migrate`: every service's schema, brought up by its owner role.

use crate::{cli::Place, installation::Installation, progress::say, services::stateful_services};

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
    for part in stateful_services() {
        let auth = ("BRAINOPS_AUTH_URL", "http://127.0.0.1:0".to_owned());
        (part.migrate)(installation.environment(part, &[auth])?).await?;
    }
    Ok(())
}

//! The routes of a model as an admin asks for them become those that are kept.

use contracts::{OrgId, ProviderId, RouteId};
use db::diesel::PgConnection;
use kit::{FieldError, Ids, NewId as _};

use crate::{
    catalog::Installation,
    domain::definition::{Definition, ProviderRef, RouteRecord, RouteSpec},
    error::Error,
    store::providers,
};

/// Puts the routes into the definition. One that led to the same place before keeps its id, and with it what is known of
/// its health.
///
/// # Errors
/// [`Error::Fields`] with every broken rule of the definition, unknown providers included. An organization has its own
/// providers only: with the installation's it could spend on another's key at prices of its own making.
pub(super) fn put(
    conn: &mut PgConnection,
    ids: &dyn Ids,
    installation: &Installation,
    owner: Option<OrgId>,
    mut definition: Definition,
    routes: Option<Vec<RouteSpec>>,
) -> Result<Definition, Error> {
    let mut faults = Vec::new();
    if let Some(specs) = routes {
        let wanted: Vec<ProviderId> = specs.iter().map(|spec| spec.provider).collect();
        let stored = providers::present(conn, owner, &wanted)?;
        let resolve = |id: ProviderId| {
            let built_in = installation.with_id(id).filter(|_| owner.is_none());
            let built_in = built_in.map(|provider| ProviderRef::BuiltIn(provider.name.clone()));
            built_in.or_else(|| stored.contains(&id).then_some(ProviderRef::Stored(id)))
        };
        let mut before = std::mem::take(&mut definition.routes);
        for (at, spec) in specs.into_iter().enumerate() {
            let provider = resolve(spec.provider).unwrap_or_else(|| {
                let message = "There is no such provider for this model.";
                faults.push(FieldError::new(format!("routes[{at}].provider_id"), "unknown", message));
                ProviderRef::Stored(spec.provider)
            });
            definition.routes.push(record(spec, provider, &mut before, ids));
        }
    }
    faults.extend(definition.faults());
    if faults.is_empty() { Ok(definition) } else { Err(Error::Fields(faults)) }
}

fn record(spec: RouteSpec, provider: ProviderRef, before: &mut Vec<RouteRecord>, ids: &dyn Ids) -> RouteRecord {
    let same = |route: &RouteRecord| {
        (&route.provider, &route.upstream_model, &route.region) == (&provider, &spec.upstream_model, &spec.region)
    };
    let id = match before.iter().position(same) {
        Some(at) => before.swap_remove(at).id,
        None => ids.new::<RouteId>(),
    };
    let RouteSpec { upstream_model, weight, fallback, region, prices, .. } = spec;
    RouteRecord { id, provider, upstream_model, weight, fallback, region, prices }
}

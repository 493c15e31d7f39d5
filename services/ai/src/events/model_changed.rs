//! A model was changed, perhaps by another replica: what is held of its owner's models is old.

use contracts::{OrgId, ai::v1::ModelChanged};
use events::{Delivery, Failure};

use crate::catalog::Catalog;

pub fn handle(catalog: &Catalog, delivery: Delivery<ModelChanged>) -> Result<(), Failure> {
    let owner: Option<OrgId> =
        delivery.event.organization_id.map(|id| id.parse()).transpose().map_err(Failure::fail)?;
    catalog.changed(owner);
    Ok(())
}

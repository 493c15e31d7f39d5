//! Which event is handled where.

mod model_changed;

use contracts::ai::v1::ModelChanged;
use events::{Broker, broadcast};
use kit::Task;

use crate::catalog::Catalog;

/// Every replica hears of changed models. What happened while it did not listen is not told again, so that everything it
/// holds may be old by then.
pub fn models(catalog: &Catalog, broker: &Broker) -> Task {
    let (changed, attached) = (catalog.clone(), catalog.clone());
    broadcast(broker, "ai.models")
        .on::<ModelChanged>(move |delivery| model_changed::handle(changed.clone(), delivery))
        .on_attached(move || {
            attached.all_changed();
            std::future::ready(())
        })
        .task()
}

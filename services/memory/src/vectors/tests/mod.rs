//! One suite of behaviours for every adapter, and what is particular to each.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::VectorIndex;

/// Where an index lives on when the process that opened it ends.
trait World: Send + Sync {
    /// A new process. The one before has ended in good order.
    fn start(&mut self) -> BoxFuture<'_, Arc<dyn VectorIndex>>;

    /// A new process after the one before was killed.
    fn start_after_kill(&mut self) -> BoxFuture<'_, Arc<dyn VectorIndex>>;
}

/// Makes a test of every behaviour, each in a world of its own.
macro_rules! suite {
    ($world:expr; $($behaviour:ident)*) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $behaviour() {
            let mut world = $world.await;
            super::suite::$behaviour(&mut world).await;
        }
    )*};
    ($world:expr) => {
        suite! { $world;
            an_entry_is_found_replaced_and_deleted
            to_tell_twice_changes_nothing
            the_last_word_on_an_entry_counts
            a_filter_means_what_accepts_says
            organizations_never_see_each_other
            cosines_leave_out_the_foreign_and_the_unknown
            what_does_not_fit_is_refused_as_a_whole
            extreme_lengths_do_not_matter
            a_watermark_stands_for_what_was_committed
            what_was_not_committed_is_told_again
            another_dimension_begins_anew
            a_rebuild_takes_over_while_others_search
            a_rebuild_that_was_not_published_is_forgotten
            a_new_generation_is_filled_alone
            a_dropped_space_is_empty
            spaces_do_not_mix
            nothing_works_before_it_is_open
            graphs_give_the_same_answers
            everything_may_happen_at_once
        }
    };
}

mod edge;
mod edge_damage;
mod fake_qdrant;
mod filters;
mod oracle;
mod qdrant;
mod samples;
mod suite;

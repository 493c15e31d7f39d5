//! `brainops configuration`: what there is to set, as the services themselves ask for it.

use auth::Auth;
use gateway::Gateway;
use kit::{Service, config};
use users::Users;

use crate::progress::say;

pub fn print() {
    let table = config::table(&[
        (Gateway::NAME, config::describe::<Gateway>()),
        (Auth::NAME, config::describe::<Auth>()),
        (Users::NAME, config::describe::<Users>()),
    ]);
    say(format_args!("{}", table.trim_end()));
}

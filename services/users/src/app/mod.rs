//! Use cases: one file and one public function each.

pub mod create_organization;
pub mod get_organization;
pub mod get_profile;
pub mod list_members;
pub mod list_organizations;
pub mod update_profile;
pub mod welcome_user;

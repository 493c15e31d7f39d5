//! Every way in which this service refuses, once for machines and once for people.

kit::error_codes! {
    /// The codes that this service adds to those of kit and db.
    pub static CODES;

    MODEL_NOT_FOUND = "model_not_found", 404, "There is no such model";
}

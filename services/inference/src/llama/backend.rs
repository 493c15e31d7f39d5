//! llama.cpp's global state: made once in a process, kept until its end.

use std::sync::LazyLock;

use anyhow::{Context as _, anyhow, ensure};
use llama_cpp_2::{LogOptions, llama_backend::LlamaBackend, send_logs_to_tracing};

static BACKEND: LazyLock<Result<LlamaBackend, String>> = LazyLock::new(|| {
    send_logs_to_tracing(LogOptions::default());
    LlamaBackend::init().map_err(|error| error.to_string())
});

/// The backend, when this processor can run what was built: on x86 llama.cpp is compiled for AVX2 and its companions
/// (any processor since 2013), and would end the process with an illegal instruction on an older one.
pub fn get() -> anyhow::Result<&'static LlamaBackend> {
    #[cfg(target_arch = "x86_64")]
    ensure!(
        std::arch::is_x86_feature_detected!("avx2")
            && std::arch::is_x86_feature_detected!("fma")
            && std::arch::is_x86_feature_detected!("f16c")
            && std::arch::is_x86_feature_detected!("bmi2"),
        "this processor lacks AVX2, FMA, F16C or BMI2"
    );
    BACKEND.as_ref().map_err(|error| anyhow!(error.clone())).context("llama.cpp could not start")
}

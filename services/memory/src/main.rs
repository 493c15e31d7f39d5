fn main() -> std::process::ExitCode {
    memory::extract_if_asked().unwrap_or_else(kit::main::<memory::Memory>)
}

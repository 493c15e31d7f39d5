fn main() -> std::process::ExitCode {
    standalone::main()
}

fn main() {
    stockrelay::tls::install_provider();
}

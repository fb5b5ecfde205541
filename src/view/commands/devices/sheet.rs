//! The sheet of a new device: what a person, or the device's camera, enters on the device.

use std::io::{self, Write};
use std::net::UdpSocket;
use std::path::Path;

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use serde_json::{Value, json};

use crate::config::Config;
use crate::event::Name;
use crate::view::table::plain;

/// An address of documentation (RFC 5737), to which nothing is sent: the machine's address on the
/// way there is the one that devices reach.
const ELSEWHERE: &str = "192.0.2.1:9";

pub struct Sheet {
    site: Name,
    device: Name,
    host: String,
    port: u16,
    tls: bool,
    /// `None`: the device logs in at the broker of the site.
    password: Option<String>,
}

impl Sheet {
    /// `host`: as devices reach the gateway, if the configuration does not tell.
    pub fn of(
        config: &Config,
        device: &Name,
        password: Option<String>,
        host: Option<&str>,
    ) -> Self {
        let (found, port, tls) = match (&config.listen, &config.broker) {
            (Some(listen), _) if listen.devices.is_some() => {
                let ip = listen.address.ip();
                let found = if ip.is_unspecified() {
                    find_own_address()
                } else {
                    ip.to_string()
                };
                (found, listen.address.port(), listen.tls_cert.is_some())
            }
            (_, Some(broker)) => split_url(&broker.url),
            _ => (find_own_address(), 1883, false),
        };
        Self {
            site: config.site.clone(),
            device: device.clone(),
            host: host.map_or(found, str::to_owned),
            port,
            tls,
            password,
        }
    }

    /// The beginning of the device's topics.
    fn topic(&self) -> String {
        format!("stockrelay/v1/{}/{}", self.site, self.device)
    }

    /// What the code holds; `docs/mqtt.md` describes it.
    fn code(&self) -> Value {
        let mut code = json!({
            "site": self.site,
            "host": self.host,
            "port": self.port,
            "tls": self.tls,
            "username": self.device,
            "topic": self.topic(),
        });
        if let Some(password) = &self.password {
            code["password"] = password.as_str().into();
        }
        code
    }

    /// The answer of `--json`.
    pub fn json(&self, file: &Path, effect: &str) -> Value {
        let mut answer = self.code();
        answer["name"] = self.device.to_string().into();
        answer["file"] = file.display().to_string().into();
        answer["effect"] = effect.into();
        answer
    }

    /// `colours`: for a terminal, whose background may be dark.
    pub fn write(&self, colours: bool, out: &mut dyn Write) -> io::Result<()> {
        let scheme = if self.tls { "mqtts" } else { "mqtt" };
        let (host, topic) = (plain(&self.host), self.topic());
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        writeln!(out, "site       {}", self.site)?;
        writeln!(out, "broker     {scheme}://{host}:{}", self.port)?;
        writeln!(out, "user name  {}", self.device)?;
        if let Some(password) = &self.password {
            writeln!(out, "password   {password}")?;
        }
        writeln!(out, "client id  {}", self.device)?;
        writeln!(out, "scans      {topic}/scan")?;
        writeln!(out, "events     {topic}/event")?;
        writeln!(
            out,
            "messages   {topic}/#  (subscribe to the topics that the device uses)"
        )?;
        if self.tls {
            writeln!(
                out,
                "The name or address of the broker must be in its certificate: --host sets it."
            )?;
        }
        writeln!(out)?;
        let code = self.code().to_string();
        match QrCode::with_error_correction_level(code.as_bytes(), EcLevel::M) {
            Ok(code) => writeln!(out, "{}", draw(&code, colours)),
            // Names are short: only a host of hundreds of characters does not fit.
            Err(error) => writeln!(out, "(no code: {error})"),
        }
    }
}

/// Draws the code dark on light: a reader needs that order, and the light margin. On paper, and in
/// a file, the blocks are dark by themselves.
fn draw(code: &QrCode, colours: bool) -> String {
    let blocks = code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Dark)
        .light_color(Dense1x2::Light)
        .quiet_zone(true)
        .build();
    if !colours {
        return blocks;
    }
    let rows = blocks.lines();
    let rows = rows.map(|row| format!("\x1b[30;107m{row}\x1b[0m"));
    rows.collect::<Vec<_>>().join("\n")
}

/// Host, port and TLS of a broker's URL, without user and password.
fn split_url(url: &str) -> (String, u16, bool) {
    let (scheme, rest) = url.split_once("://").unwrap_or(("mqtt", url));
    let tls = scheme == "mqtts";
    let authority = rest.split('/').next().unwrap_or(rest);
    let address = authority.rsplit('@').next().unwrap_or(authority);
    let default = if tls { 8883 } else { 1883 };
    match address.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => {
            let port = port.parse().unwrap_or(default);
            (host.trim_matches(['[', ']']).to_owned(), port, tls)
        }
        _ => (address.trim_matches(['[', ']']).to_owned(), default, tls),
    }
}

/// The address of this machine on the way to other machines, else its name.
fn find_own_address() -> String {
    let address = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect(ELSEWHERE)?;
        socket.local_addr()
    });
    match address {
        Ok(address) if !address.ip().is_unspecified() => address.ip().to_string(),
        _ => {
            let name = rustix::system::uname();
            name.nodename().to_string_lossy().into_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The code as another decoder reads it from the printed blocks.
    fn scan(blocks: &str) -> String {
        const PIXELS: usize = 4;
        let rows: Vec<Vec<char>> = blocks.lines().map(|row| row.chars().collect()).collect();
        let (width, height) = (rows[0].len() * PIXELS, rows.len() * 2 * PIXELS);
        let is_dark = |x: usize, y: usize| match rows[y / 2][x] {
            '█' => true,
            '▀' => y % 2 == 0,
            '▄' => y % 2 == 1,
            _ => false,
        };
        let luma = (0..width * height).map(|at| {
            let (x, y) = (at % width / PIXELS, at / width / PIXELS);
            if is_dark(x, y) { 0 } else { 255 }
        });
        let (luma, format) = (luma.collect(), Some(rxing::BarcodeFormat::QR_CODE));
        let size = |pixels: usize| u32::try_from(pixels).unwrap();
        let found = rxing::helpers::detect_in_luma(luma, size(width), size(height), format);
        found.unwrap().getText().to_owned()
    }

    #[test]
    fn the_code_is_what_the_device_needs_and_a_terminal_may_be_dark() {
        let sheet = Sheet {
            site: Name::new("ams1").unwrap(),
            device: Name::new("pda-07").unwrap(),
            host: "gateway.example".to_owned(),
            port: 8883,
            tls: true,
            password: Some("k7fm-2xqp-9rtw-vh4c".to_owned()),
        };
        let print = |colours| {
            let mut out = Vec::new();
            sheet.write(colours, &mut out).unwrap();
            String::from_utf8(out).unwrap()
        };
        let paper = print(false);
        assert!(!paper.contains('\x1b'), "{paper}");
        let (_, blocks) = paper.split_once("\n\n").unwrap();
        let code: Value = serde_json::from_str(&scan(blocks.trim_end_matches('\n'))).unwrap();
        assert_eq!(
            code,
            json!({
                "site": "ams1", "host": "gateway.example", "port": 8883, "tls": true,
                "username": "pda-07", "topic": "stockrelay/v1/ams1/pda-07",
                "password": "k7fm-2xqp-9rtw-vh4c",
            })
        );
        // Black on white, row by row.
        let terminal = print(true);
        let (_, coloured) = terminal.split_once("\n\n").unwrap();
        for (row, plain) in coloured.lines().zip(blocks.lines()) {
            assert_eq!(row, format!("\x1b[30;107m{plain}\x1b[0m"));
        }
    }

    #[test]
    fn a_brokers_url_is_shown_without_its_password() {
        for (url, host, port, tls) in [
            ("mqtt://u:p@broker.example", "broker.example", 1883, false),
            ("mqtts://broker.example:8884", "broker.example", 8884, true),
            ("mqtts://[::1]/", "::1", 8883, true),
        ] {
            assert_eq!(split_url(url), (host.to_owned(), port, tls), "{url}");
        }
    }
}

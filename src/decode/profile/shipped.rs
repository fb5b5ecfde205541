//! The profiles that are shipped, by name.

macro_rules! shipped {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../scanner-profiles/", $name, ".toml")))),*]
    };
}

/// Name and text of each file of `scanner-profiles/`.
pub const SHIPPED: [(&str, &str); 14] = shipped![
    "bare-mqtt",
    "datalogic-powerscan",
    "generic-hid",
    "generic-serial",
    "honeywell-hid",
    "honeywell-serial",
    "keyence-serial",
    "proglove-serial",
    "proglove-streams",
    "sick-serial",
    "zebra-datawedge-mqtt",
    "zebra-hid",
    "zebra-iot-connector",
    "zebra-serial",
];

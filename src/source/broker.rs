//! An MQTT broker that was there already.

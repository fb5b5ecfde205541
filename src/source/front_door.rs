//! The gateway's own MQTT front door.

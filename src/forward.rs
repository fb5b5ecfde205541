//! Sealed documents go to Odoo, each once, and are read back.

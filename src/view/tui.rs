//! `stockrelay top`.

use std::path::Path;

#[expect(clippy::unused_async)]
pub async fn run(_socket: &Path) -> std::io::Result<()> {
    Ok(())
}

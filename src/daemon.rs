//! Puts the path together and runs it.

use anyhow::Context;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::journal::{Journal, WriterHandle};
use crate::view::board::Board;
use crate::view::control::Control;

pub struct Daemon {
    pub journal: Journal,
    pub board: Board,
    writer: WriterHandle,
    control: JoinHandle<()>,
    cancel: CancellationToken,
}

impl Daemon {
    #[expect(clippy::unused_async)]
    pub async fn start(config: Config) -> anyhow::Result<Self> {
        let board = Board::new();
        let (journal, writer) =
            Journal::open(&config.data_dir, &config.journal).context("journal")?;
        let cancel = CancellationToken::new();
        let control = Control::bind(&config.control, config.site, journal.clone(), board.clone())?;
        let control = tokio::spawn(control.run(cancel.clone()));
        Ok(Self {
            journal,
            board,
            writer,
            control,
            cancel,
        })
    }

    /// Resolves when a part stops by itself, with the reason.
    pub async fn ended(&mut self) -> String {
        let mut watch = self.journal.watch();
        while watch.changed().await.is_ok() {}
        "the journal has stopped".to_owned()
    }

    pub async fn stop(self) {
        self.cancel.cancel();
        drop(self.control.await);
        drop(self.journal.inbox().close().await);
        drop(tokio::task::spawn_blocking(|| self.writer.join()).await);
    }
}

//! The promises of the store: those that hold on both engines (`contract`), and those about files.

mod on_postgres;
mod on_sqlite;

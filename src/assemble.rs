//! Events become the lines of documents, which are sealed. Pure.

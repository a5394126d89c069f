//! Random histories against a model that keeps everything in plain lists.

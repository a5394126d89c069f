//! penstock: a Kafka-compatible broker. The order of the modules below is the law of imports.

"""Field protocols to Samples: Modbus endpoints and MQTT subscriptions, described by device profiles."""

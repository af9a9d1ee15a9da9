"""Simulated devices on real wires: Modbus TCP servers, MQTT publishers and a broker for demos."""

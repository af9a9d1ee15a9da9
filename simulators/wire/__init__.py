"""Simulated devices on real wires: Modbus servers, MQTT publishers and a broker for demos."""

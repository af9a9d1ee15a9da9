"""Commissioning: finding out what answers on a Modbus network, and whether its numbers are right.

``plausibility``, ``cross_checks``, ``orders``, ``hints``, ``matching`` and ``memory`` are pure; ``asking``,
``scanning`` and ``probing`` read devices over a link, one paced request at a time. Nothing is ever written.
"""
